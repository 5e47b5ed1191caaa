"""Reconciler: finds jobs without progress and sends their missing segments again.

A broker can lose a message, a chord a part, and Redis its memory. The store has plan and segments, from which
any job can be finished. Two reconcilers may run at once: stages skip what exists, and the stitch is
idempotent.

A job that waits behind others makes no progress either. So the queues are searched for its messages first,
once for all such jobs.
"""

import logging
from typing import Any

from celery import Task

from pipeline.errors import CancelledError, MissingArtifactError, PipelineError, StoreError
from pipeline.jobs.plans import Plan
from tasks.app import app, settings
from tasks.orchestration import chord
from tasks.orchestration.broker_snapshot import Standing, standing
from tasks.orchestration.resources import jobs, roots
from tasks.orchestration.waiters import answer, body

log = logging.getLogger(__name__)


@app.task(
    bind=True,
    name="voxchord.reconcile",
    ignore_result=True,
    throws=(StoreError,),
    reject_on_worker_lost=False,
    retry_on_worker_lost=False,
)
def reconcile(self: Task[..., Any]) -> None:
    """Check all open jobs, and send the missing segments of those without progress."""
    still = [plan for plan in map(_unfinished, jobs().coordination.opened()) if plan]
    if still:
        there = standing()
        for plan in still:
            try:
                resume(plan, there)
            except MissingArtifactError as error:  # a page of the plan is missing: the stitch fails the job
                _end(plan, error)


def _unfinished(job: str) -> Plan | None:
    """Plan of a job without progress, or of a cancelled job that is not closed; else None."""
    cancelled = jobs().coordination.cancelled(job) and not jobs().outcomes.closed(job)
    if not cancelled and jobs().coordination.idle_s(job) < settings.stalled_s:
        return None
    plan = jobs().plans.get(job)
    if plan is None:  # its root died before the plan was complete, and is redelivered
        return None
    return plan


def resume(plan: Plan, there: Standing) -> None:
    """Send the missing segments of a job, or its outstanding answers."""
    jobs().coordination.touch(plan.job)  # restarts the time without progress
    if jobs().outcomes.closed(plan.job) or jobs().coordination.cancelled(plan.job):
        _end(plan, CancelledError(plan.job))
        return
    failures = jobs().outcomes.failures(plan.job)
    missing = [index for index in jobs().artifacts.missing(plan) if index not in failures]
    if there.covers(plan.job, missing):
        return
    root = roots().claimed_by(plan.job) or next(iter(roots().waiting(plan.job)), None)
    if root is None:
        return  # no waiter: the root that planned it died before it joined, and is redelivered
    log.warning(
        "job without progress; segments sent again", extra={"job": plan.job, "segments": len(missing)}
    )
    roots().claim(plan.job, root)
    chord.send(plan, missing, body(plan, root))
    roots().mark_sent(plan.job)


def _end(plan: Plan, error: PipelineError) -> None:
    """Answer all waiters of a job; close the job if there are none."""
    waiting = roots().waiting(plan.job)
    answer(plan, list(waiting))
    if not waiting:
        if not jobs().outcomes.closed(plan.job):
            jobs().outcomes.give_up(plan.job, error)
        roots().answered(plan.job, "")
