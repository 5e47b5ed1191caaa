"""Answers to the roots that wait for a job.

A root is answered by a stitch under the root's own ID, so that its links, its chain and its chord go on as
Celery has them. Tasks are signed by name: the names are the contract.
"""

from pipeline.jobs.plans import Plan, checked_id
from tasks.orchestration import chord
from tasks.orchestration.resources import VoxchordApp


def stitch_of(app: VoxchordApp, job: str) -> chord.Sig:
    """Build the signature of a job's stitch, with the highest priority: its waiters waited for all else."""
    stitch = app.signature("voxchord.stitch", kwargs={"job": job}, immutable=True)
    return stitch.set(priority=app.broker.priority(0))


def body(app: VoxchordApp, plan: Plan, root: str) -> chord.Sig:
    """Signature that answers a root, with the links stored when the root was accepted, if any."""
    stored = app.resources.roots.waiting(plan.job).get(root)
    return chord.read(app, stored) if stored else stitch_of(app, plan.job).set(task_id=root)


def answer(app: VoxchordApp, plan: Plan, roots: list[str]) -> None:
    """Send each root its answer."""
    for root in roots:
        body(app, plan, root).apply_async()


def cancel(app: VoxchordApp, job: str) -> None:
    """Cancel a job: set the flag that its stages check, and answer its waiters at once."""
    jobs, roots = app.resources.jobs, app.resources.roots
    jobs.coordination.cancel(checked_id(job))
    answer(app, jobs.plans.need(job), list(roots.waiting(job)))
