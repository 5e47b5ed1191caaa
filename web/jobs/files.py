"""Files of a job: audio, whole or so far, subtitles, times of turns and words, and the report."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse, HTMLResponse, Response

from db.queries.jobs import count_attempts
from db.reports import job_page
from db.reports.job_timeline import load
from pipeline import finalize
from pipeline.engines.protocol import Uncontrolled
from pipeline.file_formats import AUDIO_FORMATS, SUBTITLE_FORMATS, sound_of
from pipeline.views.states import newest_manifest
from tasks.flower.history_routes import ATTEMPTS_MAX
from web.errors import ApiError, not_found
from web.jobs.found import FoundJob, JobDep
from web.jobs.paths import PARTS, PATH, RESPONSES
from web.jobs.stored_file import stored_file
from web.jobs.temporary_file import make_file, temporary_file

router = APIRouter(
    tags=["jobs"],
    responses=RESPONSES,
)
_REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'"
Revision = Annotated[int | None, Query(ge=0, le=999, description="Default: the newest one.")]
_BINARY: dict[int | str, dict[str, Any]] = {
    **PARTS,
    200: {"content": {each.media_type: {} for each in AUDIO_FORMATS.values()}},
}


@router.head(PATH + "/{id}/content", include_in_schema=False)
@router.get(PATH + "/{id}/content", response_class=Response, responses=_BINARY)
async def get_content(
    job: JobDep,
    request: Request,
    revision: Revision = None,
    so_far: Annotated[bool, Query(description="Of a running job, its finished start.")] = False,
) -> Response:
    """Get the audio file. It honours ranges. The start of a running job is one file, not an archive."""
    if so_far and await job.away(_is_running):
        return await job.away(_so_far)
    manifest = await job.away(_manifest, revision)
    name = manifest["file_format"]
    file_name = f"{job.record.id}.{name}"
    return stored_file(job.service, request, manifest["audio"], AUDIO_FORMATS[name].media_type, file_name)


def _is_running(job: FoundJob) -> bool:
    return job.planned().manifest is None


def _manifest(job: FoundJob, revision: int | None = None) -> Mapping[str, Any]:
    """Manifest of a revision.

    Raises:
        ApiError: 409, the job has no file yet; 404, it has no such revision.
    """
    current = job.planned()
    if current.manifest is None:
        raise ApiError(409, f"job {job.record.id!r} has no file: it is not completed", code="not_ready")
    found = newest_manifest(job.service.jobs, current.job, revision)
    if found is None:
        raise not_found(f"revision {revision} of job {job.record.id!r}")
    return found


def _so_far(job: FoundJob) -> FileResponse:
    plan = job.plan()
    jobs, name = job.service.jobs, sound_of(plan.options.format)
    plan = replace(plan, options=replace(plan.options, format=name, split_hours=None))

    def write(path: Path) -> None:
        if finalize.join_so_far(jobs, plan, Uncontrolled(), path) is None:
            raise ApiError(409, "the first segment is not finished yet", code="not_ready", retry_after_s=1)

    path, _ = make_file(job.service, name, write)
    return temporary_file(path, AUDIO_FORMATS[name].media_type, f"{job.record.id}.{name}")


@router.get(PATH + "/{id}/subtitles", response_class=Response, responses=PARTS)
async def get_subtitles(
    job: JobDep, request: Request, format: Literal["srt", "vtt"] = "srt", revision: Revision = None
) -> Response:
    """Get the subtitles."""
    manifest = await job.away(_manifest, revision)
    artifact, media_type = manifest["subtitles"][format], SUBTITLE_FORMATS[format].media_type
    return stored_file(job.service, request, artifact, media_type, f"{job.record.id}.{format}")


@router.get(PATH + "/{id}/words", response_class=Response, responses=PARTS)
async def get_words(job: JobDep, request: Request, revision: Revision = None) -> Response:
    """Get the time, speaker and turn of every word, as JSON."""
    return await _json_file(job, request, "words", revision)


@router.get(PATH + "/{id}/chapters", response_class=Response, responses=PARTS)
async def get_chapters(job: JobDep, request: Request, revision: Revision = None) -> Response:
    """Get the title, segment and times of every chapter of a book, as JSON."""
    return await _json_file(job, request, "chapters", revision)


@router.get(PATH + "/{id}/turns", response_class=Response, responses=PARTS)
async def get_turns(job: JobDep, request: Request, revision: Revision = None) -> Response:
    """Get the time and speaker of every turn, as JSON."""
    return await _json_file(job, request, "turns", revision)


async def _json_file(job: FoundJob, request: Request, name: str, revision: int | None) -> Response:
    manifest = await job.away(_manifest, revision)
    if not manifest.get(name):
        raise not_found(f"the file of {name} of job {job.record.id!r}")
    file_name = f"{job.record.id}.{name}.json"
    return stored_file(job.service, request, manifest[name], "application/json", file_name)


@router.get(PATH + "/{id}/manifest")
async def get_manifest(job: JobDep, revision: Revision = None) -> dict[str, Any]:
    """Get the manifest of the newest file, or of a revision."""
    return dict(await job.away(_manifest, revision))


@router.get(PATH + "/{id}/report", response_class=HTMLResponse)
async def get_report(job: JobDep) -> HTMLResponse:
    """Get the report of what the job cost, as a page."""
    html = await job.away(_report)
    return HTMLResponse(html, headers={"Content-Security-Policy": _REPORT_POLICY})


def _report(job: FoundJob) -> str:
    current, database = job.planned(), job.service.database
    if count_attempts(database, current.job) > ATTEMPTS_MAX:
        raise ApiError(413, f"more than {ATTEMPTS_MAX:,} attempts; use the command line", code="too_large")
    timeline = load(database, current.job)
    if timeline is None or not timeline.attempts:
        raise not_found("an attempt of this job in the history")
    return job_page.page(timeline)
