"""`/v1/audio/jobs`: create, list, get, cancel, retry, delete."""

import time
from typing import Annotated, Any, Literal

import anyio
from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict

from pipeline.errors import OptionError
from pipeline.jobs.actions import Actor
from tasks.notification.webhooks import webhooks_of
from tasks.orchestration import actions
from web import errors
from web.access.clients import Client, ClientDep, owner_of, segment_options
from web.access.voices import ClientVoices
from web.errors import ApiError
from web.jobs import views
from web.jobs.asked import WAIT_S, admission, asked
from web.jobs.create import create
from web.jobs.events import job_events
from web.jobs.found import FoundJob, JobDep
from web.jobs.paths import PATH, RESPONSES
from web.jobs.records import HttpJobs
from web.jobs.request import CompareScript, CreateJob, arguments
from web.jobs.views import JobView, Status
from web.numbers import Whole
from web.rendering import withdraw
from web.scripts.source import Source, given_source
from web.service import Service, ServiceDep
from web.speech.request import Translation

router = APIRouter(tags=["jobs"], responses=RESPONSES)
_LIMIT, _LIMIT_MAX = 20, 100
_RESTART_S, _RESTART_POLL_S = 5.0, 0.1
"""Longest wait for the restart of a job, and time between two checks of it."""
_READ_MAX = 1000
"""Most jobs that one request reads in search of those with a status."""


class JobList(BaseModel):
    """A page of jobs."""

    object: Literal["list"] = "list"
    data: list[JobView]
    first_id: str | None
    last_id: str | None
    """ID after which the next page continues."""
    has_more: bool


class DeletedJob(BaseModel):
    """A job that was deleted."""

    id: str
    object: Literal["audio.job.deleted"] = "audio.job.deleted"
    deleted: bool = True


class RetryJob(BaseModel):
    """Request to run a failed job again."""

    model_config = ConfigDict(extra="forbid")

    segment: Whole | None = None
    """The only segment that is made again; by default all that failed."""


class WebhookSecret(BaseModel):
    """Secret with which the client's webhooks are signed."""

    object: Literal["audio.webhook_secret"] = "audio.webhook_secret"
    secret: str


@router.post(PATH, status_code=201, responses={200: {"model": JobView, "description": "It exists"}})
async def create_job(
    request: CreateJob, service: ServiceDep, client: ClientDep, response: Response
) -> JobView:
    """Create a job. A second request with the same ID and content gets the existing job."""
    source = await service.compute(given_source, service, client, request)
    return await create(service, client, request, source, response)


@router.get(PATH)
async def list_jobs(
    service: ServiceDep,
    client: ClientDep,
    after: Annotated[str | None, Query(description="ID after which the list continues.")] = None,
    limit: Annotated[int, Query(ge=1, le=_LIMIT_MAX)] = _LIMIT,
    order: Literal["asc", "desc"] = "desc",
    status: Status | None = None,
    search: Annotated[str, Query(max_length=200, description="Part of the ID or the title.")] = "",
) -> JobList:
    """List the client's jobs, newest first."""
    jobs = HttpJobs(service.jobs.store, client)
    return await service.away(_page, service, jobs, after, limit, order, status, search.casefold())


def _page(
    service: Service,
    jobs: HttpJobs,
    after: str | None,
    limit: int,
    order: str,
    status: Status | None,
    search: str,
) -> JobList:
    shown: list[JobView] = []
    last: str | None = None
    for read, job in enumerate(jobs.newest(after, oldest_first=order == "asc")):
        if len(shown) == limit or read == _READ_MAX:
            return _list(shown, last, has_more=True)
        last = job.id
        if search in job.id.casefold() or search in job.title.casefold():
            found = views.view(service, jobs, job, cost=False)
            if status in (None, found.status):
                shown.append(found)
    return _list(shown, last, has_more=False)


def _list(shown: list[JobView], last: str | None, *, has_more: bool) -> JobList:
    return JobList(data=shown, first_id=shown[0].id if shown else None, last_id=last, has_more=has_more)


@router.get(PATH + "/{id}")
async def get_job(job: JobDep) -> JobView:
    """Get a job: status, progress, error, expected time, and cost so far."""
    return await job.away(FoundJob.view)


@router.get(
    PATH + "/{id}/events",
    response_class=Response,
    responses={200: {"description": "Events until the job has ended", "content": {"text/event-stream": {}}}},
)
async def get_events(job: JobDep) -> Response:
    """Follow a job: its changes and its finished segments, as server-sent events."""
    return job_events(job)


@router.post(PATH + "/{id}/cancel")
async def cancel_job(job: JobDep) -> JobView:
    """Cancel a job. Its finished segments stay; a retry continues it."""
    return await job.away(_cancel)


def _cancel(job: FoundJob) -> JobView:
    current = job.state()
    if current is not None and current.ended:
        raise ApiError(409, f"job {job.record.id!r} has ended", code="job_ended")
    job.jobs.mark_cancelled(job.record)
    if current is None:
        withdraw(job.service, job.record.task)
    else:
        actions.cancel(job.service.celery, current.job, _actor(job.client))
    return job.view()


@router.post(PATH + "/{id}/retry", status_code=202)
async def retry_job(job: JobDep, request: RetryJob) -> JobView:
    """Run a failed or cancelled job again; finished segments are not made again."""
    async with admission(job):
        await job.away(_retry, request.segment)
        return await _restarted(job)


def _retry(job: FoundJob, segment: int | None) -> None:
    current = job.planned()
    job.jobs.unmark_cancelled(job.record)  # before it runs again, since a marked job that runs is cancelled
    try:
        actions.retry(job.service.celery, current.job, segment, _actor(job.client))
    except OptionError as error:
        raise ApiError(409, error.reason, param=error.option, code="nothing_to_retry") from None


async def _restarted(job: FoundJob) -> JobView:
    """View of a job when a worker has started it again, or after a while."""
    until_s = time.monotonic() + _RESTART_S
    while True:
        view = await job.away(FoundJob.view)
        if view.status in ("in_progress", "completed") or time.monotonic() >= until_s:
            return view
        await anyio.sleep(_RESTART_POLL_S)


@router.delete(PATH + "/{id}")
async def delete_job(job: JobDep) -> DeletedJob:
    """Delete a job that has ended, with its files. Its segments stay until they are collected."""
    return await job.away(_delete)


def _delete(job: FoundJob) -> DeletedJob:
    current = job.state()
    if current is None or not current.ended:
        raise ApiError(409, f"job {job.record.id!r} is not ended; cancel it first", code="job_running")
    job.jobs.remove(job.record)
    if current.plan is not None:
        job.service.jobs.remove(current.job)
    return DeletedJob(id=job.record.id)


@router.post(PATH + "/{id}/diff")
async def diff_job(job: JobDep, request: CompareScript) -> dict[str, Any]:
    """Compare another version of the script with a job: what changes, and how long that takes."""
    source = await job.service.compute(given_source, job.service, job.client, request)
    given = await job.away(_compared, request, source)
    async with admission(job):
        found = await asked(job, "voxchord.diff", "voxchord", given, WAIT_S)
    if found is None:
        raise errors.unavailable("no worker compares scripts")
    return found


def _compared(job: FoundJob, request: CompareScript, source: Source) -> dict[str, Any]:
    """Arguments of the comparison."""
    translation = Translation(job.service.settings, job.service.engines)
    registered = ClientVoices(job.service.voices, job.client)
    own = segment_options(job.service, job.client)
    given = arguments(request, source, translation, registered, own)
    return {**given, "voices": given["voices"] or None, "job": job.planned().job}


@router.get("/v1/audio/webhook_secret")
async def webhook_secret(service: ServiceDep, client: ClientDep) -> WebhookSecret:
    """Get the secret with which the client's webhooks are signed."""
    webhooks = webhooks_of(service.settings)
    if not webhooks.enabled:
        raise ApiError(404, "webhooks are off", code="not_found")
    return WebhookSecret(secret=webhooks.secret_of(owner_of(client)))


def _actor(client: Client) -> Actor:
    return Actor(client.name, "http")
