"""State of a job as people and clients see it, from the store alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.errors import CancelledError, PipelineError
from pipeline.jobs.jobs import Jobs
from pipeline.jobs.plans import Plan

RUNNING, SUCCEEDED, FAILED, CANCELLED = "RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"


@dataclass(frozen=True, slots=True)
class JobState:
    """State of one job."""

    job: str
    state: str
    plan: Plan | None = None
    """None for a refused request."""
    error: PipelineError | None = None
    manifest: Mapping[str, Any] | None = None
    """Manifest of the first file; None unless the job has succeeded."""

    @property
    def ended(self) -> bool:
        return self.state != RUNNING


def state_of(jobs: Jobs, job: str) -> JobState:
    """Read the state of a job or of a refused request.

    Raises:
        MissingArtifactError: unknown job.
    """
    refusal = jobs.intake.refusal(job)
    if refusal is not None:
        return JobState(job, FAILED, None, refusal.error)
    plan = jobs.plans.need(job)
    manifest, error = jobs.outcomes.manifest(job), jobs.outcomes.error(job)
    state = SUCCEEDED if manifest else FAILED if error is not None else RUNNING
    if isinstance(error, CancelledError) or (state == RUNNING and jobs.coordination.cancelled(job)):
        state = CANCELLED
    return JobState(job, state, plan, error, manifest)


def finished_segments(jobs: Jobs, state: JobState) -> int:
    """Number of segments with a finished take; all of a job that has succeeded."""
    if state.plan is None:
        return 0
    missing = 0 if state.manifest else len(jobs.artifacts.missing(state.plan))
    return state.plan.segments - missing


def newest_manifest(jobs: Jobs, job: str, revision: int | None = None) -> dict[str, Any] | None:
    """Manifest of a revision, by default of the newest finished one; None if there is none.

    Args:
        revision: 0 is the first file.
    """
    first = jobs.outcomes.manifest(job)
    if first is None or revision == 0:
        return first
    if revision is not None:
        return jobs.revisions.manifest(job, revision)
    made = (jobs.revisions.manifest(job, number) for number in range(jobs.revisions.latest(job), 0, -1))
    return next((manifest for manifest in made if manifest is not None), first)
