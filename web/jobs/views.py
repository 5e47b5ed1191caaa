"""A job as the service shows it, in the shape of OpenAI's jobs."""

from typing import Any, Literal

from pydantic import BaseModel, Field
from sqlalchemy.exc import DBAPIError

from db.queries.jobs import costs, get_job
from pipeline import clock
from pipeline.errors import CancelledError, MissingArtifactError, PipelineError
from pipeline.views.states import (
    CANCELLED,
    RUNNING,
    SUCCEEDED,
    JobState,
    finished_segments,
    newest_manifest,
    state_of,
)
from tasks.orchestration import waiters
from web.errors import ApiError, of_pipeline
from web.jobs.records import HttpJob, HttpJobs
from web.service import Service

Status = Literal["queued", "in_progress", "completed", "failed"]
_REASON_MAX = 2000


class JobError(BaseModel):
    """Reason why a job failed."""

    code: str | None
    message: str


class JobCost(BaseModel):
    """Use of resources so far, by the history; null is not measured."""

    attempts: int
    run_s: float | None
    cpu_s: float | None
    gpu_active_s: float | None


class JobView(BaseModel):
    """A job."""

    id: str
    object: Literal["audio.job"] = "audio.job"
    status: Status
    progress: int = Field(description="Percentage of the finished segments.")
    created_at: int
    completed_at: int | None = None
    error: JobError | None = None
    model: str
    title: str
    response_format: str
    metadata: dict[str, str]
    segments: int | None = None
    segments_done: int | None = None
    eta_s: float | None = None
    """Expected time until it is completed."""
    duration_s: float | None = None
    revision: int | None = None
    """Newest revision of the file."""
    cost: JobCost | None = None
    job: str | None = None
    """Job ID in the history and on the command line."""


def found(jobs: HttpJobs, name: str) -> HttpJob:
    """Find a job of a client.

    Raises:
        ApiError: 404, the client has no job of that ID.
    """
    job = jobs.find(name)
    if job is None:
        raise ApiError(404, f"job {name[:64]!r} does not exist", param="id", code="not_found")
    return job


def state(service: Service, jobs: HttpJobs, job: HttpJob) -> JobState | None:
    """State of the job that a request became; None while no worker has accepted it."""
    name = service.jobs.intake.job_of(job.task)
    cancelled = jobs.is_cancelled(job)
    if name is None:
        return JobState("", CANCELLED, None, CancelledError(job.id)) if cancelled else None
    try:
        current = state_of(service.jobs, name)
    except MissingArtifactError:
        return JobState(name, "FAILED", None, MissingArtifactError(f"jobs/{name}/plan"))
    if cancelled and current.state == RUNNING:  # it was accepted while it was cancelled
        waiters.cancel(service.celery, name)
        return JobState(name, CANCELLED, current.plan, CancelledError(job.id))
    return current


def planned(service: Service, jobs: HttpJobs, job: HttpJob) -> JobState:
    """State of a job that has a plan.

    Raises:
        ApiError: 409, it is queued or was refused.
    """
    current = state(service, jobs, job)
    if current is None or current.plan is None:
        what = "is queued" if current is None else "was refused, and has no segments"
        raise ApiError(409, f"job {job.id!r} {what}", code="not_ready")
    return current


def view(service: Service, jobs: HttpJobs, job: HttpJob, *, cost: bool = True) -> JobView:
    """Show a job.

    Args:
        cost: ask the history for its cost, too.
    """
    current = state(service, jobs, job)
    shown = JobView(
        id=job.id,
        status="queued",
        progress=0,
        created_at=int(job.created_s),
        model=job.model,
        title=job.title,
        response_format=job.response_format,
        metadata=dict(job.metadata),
    )
    if current is None:
        return shown
    done = finished_segments(service.jobs, current)
    return shown.model_copy(update=_details(service, job, current, done, cost=cost))


def _details(service: Service, job: HttpJob, current: JobState, done: int, *, cost: bool) -> dict[str, Any]:
    plan, manifest = current.plan, None
    details: dict[str, Any] = {"job": current.job or None, "status": _status(current)}
    if current.error is not None or current.state == CANCELLED:
        details["error"] = _error(job, current)
    if plan is not None:
        share = 100 * done // plan.segments
        details |= {"segments": plan.segments, "segments_done": done}
        details["progress"] = 100 if current.manifest else min(share, 99)
        if current.state == RUNNING and done:
            details["eta_s"] = _eta_s(service, current, done)
    if current.manifest is not None:
        manifest = newest_manifest(service.jobs, current.job) or current.manifest
        details |= {"duration_s": manifest["duration_s"], "revision": manifest.get("revision", 0)}
    if cost and current.job:
        details |= _history(service, current)
    return details


def _status(current: JobState) -> Status:
    if current.state == RUNNING:
        return "in_progress"
    return "completed" if current.state == SUCCEEDED else "failed"


def _error(job: HttpJob, current: JobState) -> JobError:
    error: PipelineError | None = current.error
    if error is None or isinstance(error, CancelledError):
        return JobError(code="cancelled", message=f"job {job.id} was cancelled")
    if isinstance(error, MissingArtifactError):
        return JobError(code="expired", message="the job's plan is no longer stored")
    shown = of_pipeline(error)
    return JobError(code=shown.code, message=str(error)[:_REASON_MAX])


def _eta_s(service: Service, current: JobState, done: int) -> float | None:
    plan = current.plan
    if plan is None:
        return None
    begun_s = service.jobs.coordination.begun_s(plan.job) or plan.created_s
    return round(max(0.0, clock.now() - begun_s) * (plan.segments - done) / done, 1)


def _history(service: Service, current: JobState) -> dict[str, Any]:
    """Cost and end of a job by the history; nothing if its database does not answer."""
    try:
        rows = costs(service.database, current.job)
        row = get_job(service.database, current.job)
    except DBAPIError:
        return {}
    finished = row and row["finished_at"]
    ended = {"completed_at": int(finished.timestamp())} if current.ended and finished else {}
    return {
        **ended,
        "cost": JobCost(
            attempts=sum(each["attempts"] for each in rows),
            **{name: _sum(each[name] for each in rows) for name in ("run_s", "cpu_s", "gpu_active_s")},
        ),
    }


def _sum(values: Any) -> float | None:
    measured = [value for value in values if value is not None]
    return round(sum(measured), 3) if measured else None
