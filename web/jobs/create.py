"""Creation of a job, at most once per ID."""

from typing import Any

from fastapi import Response

from tasks.notification.webhooks import webhooks_of
from web.access.admission import admitted, ended
from web.access.clients import Client, segment_options
from web.access.voices import ClientVoices
from web.errors import ApiError
from web.jobs import views
from web.jobs.paths import PATH
from web.jobs.records import HttpJob, HttpJobs
from web.jobs.request import JobFields, arguments, content_of, own_options
from web.rendering import send_render
from web.scripts.source import Source
from web.service import Service
from web.speech.request import Translation


async def create(
    service: Service, client: Client, request: JobFields, source: Source, response: Response
) -> views.JobView:
    """Create a job and send it, or find the one that has its ID.

    Args:
        response: gets the status and the address of the job.

    Raises:
        ApiError: 409, the ID is in use; 429, a limit of the client is reached.
    """
    jobs = HttpJobs(service.jobs.store, client)
    shown = {name: getattr(request, name) for name in ("model", "title", "response_format", "metadata")}
    wanted = jobs.new(request.id, content_of(request, source), **shown)
    existing = await service.away(_existing, jobs, wanted)
    given = await service.away(_arguments, service, client, jobs, request, source, existing or wanted)
    if existing is None:
        await admitted(service, client, wanted.task, source.characters)
        if not await service.away(jobs.create, wanted):  # another request was faster
            await ended(service, client, wanted.task)
            existing = await service.away(_existing, jobs, wanted)
    current = existing or wanted
    if await service.away(service.jobs.intake.job_of, current.task) is None:
        try:
            await service.away(send_render, service, current.task, given, client.labels)
        except BaseException:
            if existing is None:
                await service.away(jobs.remove, wanted)
                await ended(service, client, wanted.task)
            raise
    response.status_code = 201 if existing is None else 200
    response.headers["Location"] = f"{PATH}/{current.id}"
    return await service.away(views.view, service, jobs, current)


def _existing(jobs: HttpJobs, wanted: HttpJob) -> HttpJob | None:
    """Job of the same ID and content; None if there is none of the ID.

    Raises:
        ApiError: 409, it has another content.
    """
    found = jobs.find(wanted.id)
    if found is not None and found.content != wanted.content:
        raise ApiError(409, f"job {wanted.id!r} exists with other content", param="id", code="id_in_use")
    return found


def _arguments(
    service: Service, client: Client, jobs: HttpJobs, request: JobFields, source: Source, job: HttpJob
) -> dict[str, Any]:
    problem = webhooks_of(service.settings).problem(request.webhook) if request.webhook else None
    if problem is not None:
        raise ApiError(400, f"the webhook {problem}", param="webhook", code="invalid_webhook")
    base = None
    if request.base_job is not None:
        base = views.planned(service, jobs, views.found(jobs, request.base_job)).job
    translation = Translation(service.settings, service.engines)
    own = own_options(request, job.namespace, base) | segment_options(service, client)
    return arguments(request, source, translation, ClientVoices(service.voices, client), own)
