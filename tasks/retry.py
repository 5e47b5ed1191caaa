"""Retry: run a failed or cancelled job again from its plan, or one of its failed segments.

The plan has all words, so the sender needs no script. Like `voxchord.render` the task replaces itself by the
job's chord, so that its ID yields the manifest.
"""

from typing import Any

from pipeline.errors import OptionError
from pipeline.jobs.actions import RETRY, Actor
from pipeline.jobs.plans import Plan, checked_id
from pipeline.jobs.retries import check_retry
from tasks.metering.attempt import note
from tasks.orchestration.chord import stitch_of
from tasks.orchestration.resources import Resources, VoxchordApp
from tasks.orchestration.roots import FLAGS
from tasks.orchestration.store_outage import requeue_while_unavailable
from tasks.render import ReplacedByJob


def register(app: VoxchordApp) -> None:
    """Register the task with an app."""
    app.task(
        bind=True,
        base=ReplacedByJob,
        name="voxchord.retry",
        throws=(OptionError,),
        retry_on_worker_lost=True,
        max_retries=3,
        default_retry_delay=2,
    )(retry)


def retry(
    self: ReplacedByJob, job: str, segment: int | None = None, actor: str = "", via: str = "task"
) -> dict[str, Any]:
    """Run a failed or cancelled job again, or a finished one with gaps. Its finished segments remain.

    Args:
        segment: the only failed segment that is decoded again; the failures of others remain.
        actor: person who retries, for the history.
        via: where it was requested: cli, flower, task.

    Returns:
        The manifest (see `pipeline.stitching.manifest`).
    """
    app, resources, task = self.app, self.app.resources, str(self.request.id)
    checked_id(job)
    if segment is not None and (not isinstance(segment, int) or isinstance(segment, bool)):
        raise OptionError("segment", "is not an integer")
    with requeue_while_unavailable(app, job):
        plan = resources.jobs.plans.get(job)
        if plan is None:
            raise OptionError("job", f"unknown job {job}")
        note(job=job, engine=plan.options.engine)
        ended = _reopened(resources, plan, task, segment, Actor(str(actor), str(via)))
        return ended or self.replace(stitch_of(app, job))


def _reopened(
    resources: Resources, plan: Plan, task: str, segment: int | None, actor: Actor
) -> dict[str, Any] | None:
    """Record the action and reopen the job, once per task; the manifest if this task ended it before.

    Raises:
        OptionError: the job cannot be retried.
        PipelineError: this task, delivered before, ended the job with this failure.
    """
    jobs, job = resources.jobs, plan.job
    if jobs.actions.get(job, task) is None:
        check_retry(jobs, plan, segment)
        jobs.actions.record(task, job, RETRY, actor, segment)
    if jobs.outcomes.closed(job) and resources.roots.claimed_by(job) == task:  # a redelivery
        error = jobs.outcomes.error(job)
        if error is not None:
            raise error
        return jobs.outcomes.manifest(job)
    if jobs.outcomes.closed(job) or jobs.coordination.cancelled(job):
        jobs.coordination.reopen(job, flags=FLAGS, segment=segment)
    jobs.intake.accept(task, job)
    resources.job_rows.acted(job)
    return None
