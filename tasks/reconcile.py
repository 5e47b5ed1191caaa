"""Reconciler: finds jobs without progress and sends their missing segments again.

A broker can lose a message, a chord a part, and Redis its memory. The store has plan and segments, from which
any job can be finished. Two reconcilers may run at once: stages skip what exists, and the stitch is
idempotent.

A job that waits behind others makes no progress either. So the queues are searched for its messages first,
once for all such jobs. Each job is resumed by itself: one that cannot be resumed is reported, counted, and
tried again after a back-off, and the others go on.

It also deletes the uploaded books that have expired.
"""

import logging
import time
from collections.abc import Callable, Sequence
from functools import cache, partial

from celery import states

from pipeline.errors import (
    CancelledError,
    EngineError,
    MissingArtifactError,
    NewerRecordError,
    PipelineError,
    StoreError,
)
from pipeline.jobs.plans import Plan
from pipeline.jobs.uploads import delete_expired
from tasks.broker import counters
from tasks.broker.consumers import consumed
from tasks.broker.queues import device_queue
from tasks.metering.attempt import note_failure
from tasks.orchestration import chord
from tasks.orchestration.broker_snapshot import BrokerSnapshot, snapshot
from tasks.orchestration.error_policy import classify
from tasks.orchestration.job_lock import job_locked
from tasks.orchestration.resources import Resources, VoxchordApp
from tasks.orchestration.store_outage import writable
from tasks.orchestration.waiters import answer, give_up, revoke, root_id
from tasks.task import VoxchordTask

log = logging.getLogger(__name__)

_INSPECT_S = 2.0
_BACKOFF_MAX_S = 3600.0
_SWEEP_S = 300.0


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


def reconcile(self: VoxchordTask, revoked: Sequence[str] = ()) -> None:
    """Check all open jobs, and send the missing segments of those without progress.

    Args:
        revoked: task IDs that were revoked recently.
    """
    app = self.app
    if revoked:
        revoke(app, frozenset(revoked))
    held, served = cache(partial(snapshot, app)), cache(partial(consumed, app, timeout_s=_INSPECT_S))
    for job in app.resources.jobs.coordination.opened():
        try:
            plan = _unfinished(app.resources, job)
            if plan:
                resume(app, plan, held(), served)
                app.resources.jobs.coordination.resumed(job)
        except Exception as error:  # noqa: BLE001 - one job never stops the others; sorted by the policy
            _back_off(app, job, classify(error).error)
    _sweep(app.resources)


def _sweep(resources: Resources) -> None:
    """Delete uploads that have expired, at most every few minutes."""
    now = time.monotonic()
    if now - resources.swept_s >= _SWEEP_S:
        resources.swept_s = now
        deleted = delete_expired(resources.jobs.store)
        if deleted:
            log.info("expired uploads are deleted", extra={"uploads": deleted})


def _unfinished(resources: Resources, job: str) -> Plan | None:
    """Plan of a job without progress, or of a cancelled job that is not closed; else None."""
    jobs = resources.jobs
    cancelled = jobs.coordination.cancelled(job) and not jobs.outcomes.closed(job)
    if not cancelled and jobs.coordination.idle_s(job) < resources.settings.stalled_s:
        return None
    if jobs.coordination.backed_off(job):
        return None
    return jobs.plans.get(job)  # None if its root died before the plan was complete: it is redelivered


def resume(app: VoxchordApp, plan: Plan, held: BrokerSnapshot, served: Callable[[], set[str] | None]) -> None:
    """Send the missing segments of a job, or its outstanding answers."""
    jobs, roots = app.resources.jobs, app.resources.roots
    jobs.coordination.touch(plan.job)  # restarts the time without progress
    if jobs.outcomes.closed(plan.job) or jobs.coordination.cancelled(plan.job):
        _end(app, plan, CancelledError(plan.job))
        return
    try:
        failures = jobs.outcomes.failures(plan.job)
        missing = [index for index in jobs.artifacts.missing(plan) if index not in failures]
    except MissingArtifactError:  # a page of the plan: the stitch fails the job
        missing = []
    if missing and plan.options.device and not _served(app, plan, plan.options.device, served() or set()):
        return
    if held.covers(plan.job, missing):
        return
    root = root_id(app, plan.job)
    if root is None:
        return  # no waiter: the root that planned it died before it joined, and is redelivered
    log.warning(
        "job without progress; segments sent again", extra={"job": plan.job, "segments": len(missing)}
    )
    roots.claim(plan.job, root)
    chord.send(app, plan, missing, root)
    roots.mark_sent(plan.job)


def _served(app: VoxchordApp, plan: Plan, device: str, queues: set[str]) -> bool:
    """True if a worker serves the job's device; else the job waits, and fails after a while."""
    coordination = app.resources.jobs.coordination
    if device_queue(device) in queues:
        coordination.mark_served(plan.job)
        return True
    coordination.mark_unserved(plan.job)
    waited_s = coordination.unserved_s(plan.job) or 0.0
    if waited_s <= app.resources.settings.device_wait_s:
        extra = {"job": plan.job, "device": device, "waited_s": round(waited_s)}
        log.warning("no worker serves the device of a job", extra=extra)
        return False
    give_up(app.resources, plan, EngineError(f"no worker serves device {device!r}"))
    coordination.cancel(plan.job)  # its messages wait for that device: a worker of it does nothing
    answer(app, plan.job)
    return False


def _end(app: VoxchordApp, plan: Plan, error: PipelineError) -> None:
    """Answer all waiters of a job; close the job if there are none."""
    jobs, roots = app.resources.jobs, app.resources.roots
    for root in roots.waiting(plan.job):
        if app.backend.get_state(root) == states.REVOKED:  # by a worker that dropped its answer
            roots.answered(plan.job, root)
    answer(app, plan.job)
    with job_locked(app, plan.job):
        if roots.waiting(plan.job):
            return
        if not jobs.outcomes.closed(plan.job):
            if not jobs.coordination.cancelled(plan.job):
                return  # requested again meanwhile
            give_up(app.resources, plan, error)
        roots.answered(plan.job, "")


def _back_off(app: VoxchordApp, job: str, error: Exception) -> None:
    """Report a job that could not be resumed; it is tried again later.

    Raises:
        StoreError: the store does not answer at all.
    """
    resources = app.resources
    if isinstance(error, NewerRecordError):
        if job not in resources.left_to_later:
            resources.left_to_later.add(job)
            log.warning("the job is left to workers of a later release: %s", error, extra={"job": job})
        return
    if isinstance(error, StoreError) and not writable(resources.jobs.store):
        raise error
    back_off = resources.jobs.coordination.back_off(
        job, first_s=resources.settings.stalled_s, longest_s=_BACKOFF_MAX_S
    )
    extra = {"job": job, "failures": back_off.failures, "again_in_s": round(back_off.wait_s)}
    log.error("the job could not be resumed: %s", error, extra=extra)
    counters.add(app, counters.NOT_RESUMED)
    note_failure(error)
