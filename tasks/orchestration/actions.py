"""Actions of people on jobs, from the command line, Flower and other front ends: each is recorded."""

from typing import Any
from uuid import uuid4

from pipeline.jobs.actions import CANCEL, Actor
from pipeline.jobs.plans import checked_id
from pipeline.jobs.retries import check_retry
from tasks.message_headers import Subject
from tasks.orchestration import waiters
from tasks.orchestration.resources import VoxchordApp


def cancel(app: VoxchordApp, job: str, actor: Actor) -> None:
    """Cancel a job, and answer its waiters.

    Raises:
        MissingArtifactError: unknown job.
    """
    app.resources.jobs.plans.need(checked_id(job))
    app.resources.jobs.actions.record(str(uuid4()), job, CANCEL, actor)
    waiters.cancel(app, job)


def retry(app: VoxchordApp, job: str, segment: int | None, actor: Actor) -> Any:
    """Send the request to run a failed or cancelled job again, or one failed segment of it.

    Returns:
        The result of the task `voxchord.retry`, which is the manifest.

    Raises:
        MissingArtifactError: unknown job.
        OptionError: the job is running, or has nothing to retry.
    """
    jobs = app.resources.jobs
    check_retry(jobs, jobs.plans.need(checked_id(job)), segment)
    return app.send_task(
        "voxchord.retry",
        kwargs={"job": job, "segment": segment, "actor": actor.name, "via": actor.via},
        queue="voxchord",
        task_id=str(uuid4()),
        headers=Subject(job, segment).headers(),
        argsrepr="()",
        kwargsrepr="-",
    )
