"""Reconciler: finds jobs without progress and sends their missing segments again.

A broker can lose a message, a chord a part, and Redis its memory. The store has plan and segments, from which
any job can be finished. Two reconcilers may run at once: stages skip what exists, and the stitch is
idempotent.

A job that waits behind others makes no progress either. So the queues are searched for its messages first,
once for all such jobs.
"""

import logging

from pipeline.errors import CancelledError, MissingArtifactError, NewerRecordError, PipelineError, StoreError
from pipeline.jobs.plans import Plan
from tasks.orchestration import chord
from tasks.orchestration.broker_snapshot import BrokerSnapshot, snapshot
from tasks.orchestration.resources import Resources, VoxchordApp
from tasks.orchestration.waiters import answer, body
from tasks.task import VoxchordTask

log = logging.getLogger(__name__)


def register(app: VoxchordApp) -> None:
    """Register the task with an app."""
    app.task(
        bind=True,
        base=VoxchordTask,
        name="voxchord.reconcile",
        ignore_result=True,
        throws=(StoreError,),
        reject_on_worker_lost=False,
        retry_on_worker_lost=False,
    )(reconcile)


def reconcile(self: VoxchordTask) -> None:
    """Check all open jobs, and send the missing segments of those without progress."""
    app = self.app
    opened = app.resources.jobs.coordination.opened()
    still = [plan for plan in (_unfinished(app.resources, job) for job in opened) if plan]
    if still:
        held = snapshot(app)
        for plan in still:
            try:
                resume(app, plan, held)
            except MissingArtifactError as error:  # a page of the plan is missing: the stitch fails the job
                _end(app, plan, error)


def _unfinished(resources: Resources, job: str) -> Plan | None:
    """Plan of a job without progress, or of a cancelled job that is not closed; else None."""
    jobs = resources.jobs
    cancelled = jobs.coordination.cancelled(job) and not jobs.outcomes.closed(job)
    if not cancelled and jobs.coordination.idle_s(job) < resources.settings.stalled_s:
        return None
    try:
        return jobs.plans.get(job)  # None if its root died before the plan was complete: it is redelivered
    except NewerRecordError as error:
        log.info("job is left to a later release: %s", error, extra={"job": job})
        return None


def resume(app: VoxchordApp, plan: Plan, held: BrokerSnapshot) -> None:
    """Send the missing segments of a job, or its outstanding answers."""
    jobs, roots = app.resources.jobs, app.resources.roots
    jobs.coordination.touch(plan.job)  # restarts the time without progress
    if jobs.outcomes.closed(plan.job) or jobs.coordination.cancelled(plan.job):
        _end(app, plan, CancelledError(plan.job))
        return
    failures = jobs.outcomes.failures(plan.job)
    missing = [index for index in jobs.artifacts.missing(plan) if index not in failures]
    if held.covers(plan.job, missing):
        return
    root = roots.claimed_by(plan.job) or next(iter(roots.waiting(plan.job)), None)
    if root is None:
        return  # no waiter: the root that planned it died before it joined, and is redelivered
    log.warning(
        "job without progress; segments sent again", extra={"job": plan.job, "segments": len(missing)}
    )
    roots.claim(plan.job, root)
    chord.send(app, plan, missing, body(app, plan, root))
    roots.mark_sent(plan.job)


def _end(app: VoxchordApp, plan: Plan, error: PipelineError) -> None:
    """Answer all waiters of a job; close the job if there are none."""
    jobs, roots = app.resources.jobs, app.resources.roots
    waiting = roots.waiting(plan.job)
    answer(app, plan, list(waiting))
    if not waiting:
        if not jobs.outcomes.closed(plan.job):
            jobs.outcomes.give_up(plan.job, error)
        roots.answered(plan.job, "")
