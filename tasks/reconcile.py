"""Finds jobs that stand still and sends what is missing: a chord alone can't be trusted with hours of work.

A broker can lose a message, a chord can lose a part, Redis can lose its memory; the store has the plan and
the segments, and from these any job can be finished. Two of these may run at once: what is sent twice is
skipped by the stages, and the stitch is the same twice.

A job that waits behind others stands still too. So before anything is sent, the queues are searched for its
messages, once for all jobs that stand still.
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
    """Look at every job that somebody waits for; send what one lacks that stands still."""
    still = [plan for plan in map(_unfinished, jobs().coordination.opened()) if plan]
    if still:
        there = standing()
        for plan in still:
            try:
                resume(plan, there)
            except MissingArtifactError as error:  # a page of its plan: the stitch gives it up
                _end(plan, error)


def _unfinished(job: str) -> Plan | None:
    """The plan of a job that stands still, or was cancelled and nobody has noticed."""
    cancelled = jobs().coordination.cancelled(job) and not jobs().outcomes.closed(job)
    if not cancelled and jobs().coordination.idle_s(job) < settings.stalled_s:
        return None
    plan = jobs().plans.get(job)
    if plan is None:  # its root died before the plan was whole, and is delivered again
        return None
    return plan


def resume(plan: Plan, there: Standing) -> None:
    """Send what is missing, or the answers that somebody waits for."""
    jobs().coordination.touch(plan.job)  # whatever is sent now has as long again before it is missed
    if jobs().outcomes.closed(plan.job) or jobs().coordination.cancelled(plan.job):
        _end(plan, CancelledError(plan.job))
        return
    failures = jobs().outcomes.failures(plan.job)
    missing = [index for index in jobs().artifacts.missing(plan) if index not in failures]
    if there.covers(plan.job, missing):
        return
    root = roots().claimed_by(plan.job) or next(iter(roots().waiting(plan.job)), None)
    if root is None:
        return  # nobody waits: the root that planned it has not come so far, and is delivered again
    log.warning("job stands still; sent again", extra={"job": plan.job, "segments": len(missing)})
    roots().claim(plan.job, root)
    chord.send(plan, missing, body(plan, root))
    roots().mark_sent(plan.job)


def _end(plan: Plan, error: PipelineError) -> None:
    """Send the answers that somebody waits for; where nobody does, the job ends here."""
    waiting = roots().waiting(plan.job)
    answer(plan, list(waiting))
    if not waiting:
        if not jobs().outcomes.closed(plan.job):
            jobs().outcomes.give_up(plan.job, error)
        roots().answered(plan.job, "")
