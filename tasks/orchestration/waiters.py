"""Answers to the roots that wait for a job.

A root is answered by a stitch under the root's own ID, so that its links, its chain and its chord go on as
Celery has them. Tasks are signed by name: the names are the contract.
"""

from pipeline.jobs.plans import Plan, checked_id
from tasks.app import app, broker
from tasks.orchestration import chord
from tasks.orchestration.resources import jobs, roots

FIRST = broker.priority(0)
"""Priority of the stitch, the highest: its waiters have waited for all segments."""


def stitch_of(job: str) -> chord.Sig:
    """Build the signature of a job's stitch."""
    return app.signature("voxchord.stitch", kwargs={"job": job}, immutable=True).set(priority=FIRST)


def body(plan: Plan, root: str) -> chord.Sig:
    """Signature that answers a root, with the links stored when the root was accepted, if any."""
    kept = roots().waiting(plan.job).get(root)
    return chord.read(kept) if kept else stitch_of(plan.job).set(task_id=root)


def answer(plan: Plan, roots: list[str]) -> None:
    """Send each root its answer."""
    for root in roots:
        body(plan, root).apply_async()


def cancel(job: str) -> None:
    """Cancel a job: set the flag that its stages check, and answer its waiters at once."""
    jobs().coordination.cancel(checked_id(job))
    plan = jobs().plans.need(job)
    answer(plan, list(roots().waiting(job)))
