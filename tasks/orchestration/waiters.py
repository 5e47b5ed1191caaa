"""Answers to the roots that wait for a job.

A root is answered by a stitch under the root's own ID, so that its links, its chain and its chord go on as
Celery has them. Tasks are signed by name: the names are the contract.
"""

import logging
from collections.abc import Collection

from celery.canvas import maybe_signature

from pipeline.errors import CancelledError, PipelineError
from pipeline.jobs.plans import Plan, checked_id
from tasks.orchestration import chord
from tasks.orchestration.job_lock import job_locked
from tasks.orchestration.resources import Resources, VoxchordApp

log = logging.getLogger(__name__)


def first_of(app: VoxchordApp, sig: chord.Sig) -> chord.Sig:
    """Stitch that an answer starts with; the answer is a chain if the root was part of one."""
    first: chord.Sig = maybe_signature(getattr(sig, "tasks", [sig])[0], app=app)  # type: ignore[assignment]
    return first


def answer(app: VoxchordApp, job: str) -> None:
    """Send every waiting root its answer, with the links stored when the root was accepted."""
    for stored in app.resources.roots.waiting(job).values():
        chord.read(app, stored).apply_async()


def root_id(app: VoxchordApp, job: str) -> str | None:
    """ID under which Celery groups a job's tasks; None without a waiting root."""
    roots = app.resources.roots
    waiting = roots.waiting(job)
    claimed = roots.claimed_by(job)
    if claimed not in waiting:
        return claimed if claimed else next(iter(waiting), None)
    return root_id_of(app, chord.read(app, waiting[claimed]), claimed)


def root_id_of(app: VoxchordApp, answer: chord.Sig, root: str) -> str:
    """ID under which Celery groups what follows from a root: that of its caller's first task, or its own."""
    return str(first_of(app, answer).options.get("root_id") or root)


def give_up(resources: Resources, plan: Plan, error: PipelineError) -> None:
    """Record the error with which a job failed, in the store and in the history."""
    resources.jobs.outcomes.give_up(plan.job, error)
    resources.job_rows.failed(plan, error)


def cancel(app: VoxchordApp, job: str) -> None:
    """Cancel a job: set the flag that its stages check, and answer its waiters at once."""
    with job_locked(app, checked_id(job)):
        app.resources.jobs.coordination.cancel(job)
    answer(app, job)


def revoke(app: VoxchordApp, revoked: Collection[str]) -> None:
    """Answer revoked roots; a job that no other root waits for is cancelled."""
    for plan in app.resources.jobs.plans.open_jobs():
        _revoke(app, plan, revoked)


def withdraw(app: VoxchordApp, job: str, root: str) -> None:
    """Answer a root whose sender no longer wants it, as `revoke` does."""
    _revoke(app, app.resources.jobs.plans.need(job), (root,))


def _revoke(app: VoxchordApp, plan: Plan, revoked: Collection[str]) -> None:
    jobs, roots = app.resources.jobs, app.resources.roots
    if roots.waiting(plan.job).keys().isdisjoint(revoked):
        return
    with job_locked(app, plan.job):
        waiting = roots.waiting(plan.job)
        left = {root: stored for root, stored in waiting.items() if root in revoked}
        if left and len(left) == len(waiting) and not jobs.outcomes.closed(plan.job):
            log.warning("cancelled: every root that waited for it was revoked", extra={"job": plan.job})
            jobs.coordination.cancel(plan.job)
            give_up(app.resources, plan, CancelledError(plan.job))
    for root, stored in left.items():
        sig = chord.read(app, stored)
        first_of(app, sig).kwargs["revoked"] = True
        sig.apply_async()
        roots.answered(plan.job, root)
