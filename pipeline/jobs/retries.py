"""Conditions for running an ended job again."""

from pipeline.errors import OptionError
from pipeline.jobs.jobs import Jobs
from pipeline.jobs.plans import Plan


def check_retry(jobs: Jobs, plan: Plan, segment: int | None) -> None:
    """Check that a job, or one segment of it, can be retried.

    Raises:
        OptionError: it is running, or has nothing to retry.
    """
    job = plan.job
    if not jobs.outcomes.closed(job) and not jobs.coordination.cancelled(job):
        raise OptionError("job", f"job {job} is running; `cancel` stops it")
    if segment is None:
        manifest = jobs.outcomes.manifest(job)
        if manifest is not None and not manifest["gaps"]:
            raise OptionError("job", f"job {job} is finished and has no gaps; there is nothing to retry")
    elif not 0 <= segment < plan.segments:
        raise OptionError("segment", f"job {job} has segments 0 to {plan.segments - 1}, not {segment}")
    elif jobs.artifacts.take_of(plan, jobs.plans.segment(job, segment)).audio is not None:
        raise OptionError("segment", f"segment {segment} did not fail: it has audio")
