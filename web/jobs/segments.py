"""Segments of a job, and their takes: list, hear, make another, choose."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from fastapi.responses import FileResponse
from pydantic import BaseModel, ConfigDict, Field

from pipeline.file_formats import AUDIO_FORMATS
from pipeline.jobs.artifacts import ChosenTake, read_samples
from pipeline.jobs.plans import Plan
from pipeline.jobs.takes import BY_HAND, HAND_FROM, TAKES_END, Takes
from pipeline.planning.records import PlannedSegment
from pipeline.stitching import encoders
from pipeline.views.states import SUCCEEDED
from pipeline.views.take_list import ListedTake, listed_takes, used_take
from web.errors import ApiError, not_found
from web.jobs.asked import WAIT_S, admission, asked
from web.jobs.found import FoundJob, JobDep
from web.jobs.paths import PARTS, PATH, RESPONSES
from web.jobs.temporary_file import make_file, temporary_file
from web.numbers import Whole
from web.speech.request import OptionValue

router = APIRouter(tags=["segments"], responses=RESPONSES)
_SEGMENTS = PATH + "/{id}/segments"
_LIMIT, _LIMIT_MAX = 100, 500
Seconds = Annotated[float, Query(ge=0, le=60, description="Longest wait for the result.")]


class Line(BaseModel):
    """A line of a segment."""

    source_line: int
    speaker: str
    text: str


class Segment(BaseModel):
    """A segment."""

    segment: int
    status: Literal["pending", "completed", "failed"]
    error: str | None = None
    words: int
    speakers: list[str]
    lines: list[Line]
    take: int | None
    """Take in the newest file, or chosen for it."""
    duration_s: float | None
    findings: list[str]
    """Findings on the takes that were checked, with their numbers."""


class SegmentList(BaseModel):
    """A page of segments."""

    object: Literal["list"] = "list"
    data: list[Segment]
    has_more: bool


class Take(BaseModel):
    """A take of a segment."""

    take: int
    by: str
    seed: int
    options: dict[str, Any]
    duration_s: float | None
    """None if it is not made yet."""
    score: float | None
    findings: list[str]
    used: bool


class TakeList(BaseModel):
    """Takes of a segment."""

    object: Literal["list"] = "list"
    data: list[Take]


class CreateTake(BaseModel):
    """Request of another take."""

    model_config = ConfigDict(extra="forbid")

    seed: Whole | None = Field(None, ge=0, lt=2**63)
    options: dict[str, OptionValue] = Field(default_factory=dict)


class PickTake(BaseModel):
    """Choice of a take."""

    model_config = ConfigDict(extra="forbid")

    take: Whole = Field(ge=0, lt=TAKES_END)


class Asked(BaseModel):
    """Work that was sent, and its result if it is there."""

    object: Literal["audio.job.task"] = "audio.job.task"
    status: Literal["in_progress", "completed"]
    take: int | None = None
    revision: int | None = None


@router.get(_SEGMENTS)
async def list_segments(
    job: JobDep,
    after: Annotated[int, Query(ge=-1, le=10**9, description="Index after which the list continues.")] = -1,
    limit: Annotated[int, Query(ge=1, le=_LIMIT_MAX)] = _LIMIT,
) -> SegmentList:
    """List the segments in order, with their lines, takes and findings."""
    return await job.away(_listed, after, limit)


def _listed(job: FoundJob, after: int, limit: int) -> SegmentList:
    plan, jobs = job.plan(), job.service.jobs
    failures = jobs.outcomes.failures(plan.job)
    picks = jobs.revisions.picks(plan.job, jobs.revisions.latest(plan.job))
    indices = range(after + 1, min(after + 1 + limit, plan.segments))

    def shown(segment: PlannedSegment) -> Segment:
        return _segment(jobs.artifacts.take_of(plan, segment, picks.get(segment.index)), failures)

    segments = [jobs.plans.segment(plan.job, index) for index in indices]
    return SegmentList(data=list(jobs.artifacts.ask(shown, segments)), has_more=indices.stop < plan.segments)


@router.get(_SEGMENTS + "/{segment}")
async def get_segment(job: JobDep, segment: int) -> Segment:
    """Get one segment."""
    return await job.away(_one, segment)


def _one(job: FoundJob, segment: int) -> Segment:
    _takes(job, segment)
    return _listed(job, segment - 1, 1).data[0]


def _segment(chosen: ChosenTake, failures: Mapping[int, str]) -> Segment:
    segment, audio, choice = chosen.segment, chosen.audio, chosen.choice
    error = failures.get(segment.index) if audio is None else None
    found = choice.findings if choice else ()
    return Segment(
        segment=segment.index,
        status="completed" if audio is not None else "failed" if error is not None else "pending",
        error=error,
        words=segment.words,
        speakers=list(segment.speakers),
        lines=[
            Line(source_line=line.source_line, speaker=line.speaker, text=line.text) for line in segment.lines
        ],
        take=chosen.take if audio is not None else None,
        duration_s=None if audio is None else round(audio.samples / audio.sample_rate_hz, 3),
        findings=[f"take {take}: {each.kind} {each.value:g} (limit {each.limit:g})" for take, each in found],
    )


@router.get(
    _SEGMENTS + "/{segment}/audio",
    response_class=FileResponse,
    responses={**PARTS, 200: {"content": {each.media_type: {} for each in AUDIO_FORMATS.values()}}},
)
async def get_audio(
    job: JobDep,
    segment: int,
    take: Annotated[int | None, Query(ge=0, lt=TAKES_END, description="Default: the one in use.")] = None,
    format: Literal["flac", "wav", "opus", "mp3"] = "wav",
) -> FileResponse:
    """Get a take as it was decoded: neither levelled nor limited."""
    return await job.away(_audio, segment, take, format)


def _audio(job: FoundJob, segment: int, take: int | None, file_format: str) -> FileResponse:
    jobs, takes = job.service.jobs, _takes(job, segment)
    number = used_take(jobs, takes) if take is None else take
    audio = None
    if number is not None and _is_shown(job, takes, number):
        audio = jobs.artifacts.audio(takes.segment, number)
    if number is None or audio is None:
        raise not_found(f"take {'in use' if take is None else take} of segment {segment}")
    samples = read_samples(jobs.store, takes.segment.key, number)

    def write(path: Path) -> None:
        rate_hz = audio.sample_rate_hz
        with encoders.writer(path, file_format, sample_rate_hz=rate_hz, samples=len(samples)) as file:
            file.write(encoders.pcm(samples))

    path, _ = make_file(job.service, file_format, write)
    file_name = f"{job.record.id}.{segment}.{number}.{file_format}"
    return temporary_file(path, AUDIO_FORMATS[file_format].media_type, file_name)


@router.get(_SEGMENTS + "/{segment}/takes")
async def list_takes(job: JobDep, segment: int) -> TakeList:
    """List the takes of a segment: those of the check, and those that were asked for in this job."""
    return await job.away(_all_takes, segment)


def _all_takes(job: FoundJob, segment: int) -> TakeList:
    listed = listed_takes(job.service.jobs, _takes(job, segment))
    return TakeList(data=[_take(each) for each in listed if _is_of(job, each)])


def _take(listed: ListedTake) -> Take:
    return Take(
        take=listed.take,
        by=listed.by,
        seed=listed.seed,
        options=dict(listed.options),
        duration_s=listed.seconds,
        score=listed.score,
        findings=list(listed.findings),
        used=listed.used,
    )


def _is_of(job: FoundJob, listed: ListedTake) -> bool:
    """True for a take that this job may see; segments may be shared with other clients' jobs."""
    return listed.by != BY_HAND or listed.task.startswith(job.record.task)


def _is_shown(job: FoundJob, takes: Takes, number: int) -> bool:
    request = takes.stored_request(number) if number >= HAND_FROM else None
    used = request is None or request.task.startswith(job.record.task)
    return used and (number < HAND_FROM or request is not None)


@router.post(_SEGMENTS + "/{segment}/takes", status_code=202, responses={200: {"model": Asked}})
async def create_take(
    job: JobDep, segment: int, request: CreateTake, response: Response, wait_s: Seconds = WAIT_S
) -> Asked:
    """Make another take of a segment. It is not used before it is picked."""
    takes = await job.away(_takes, segment)
    characters = sum(len(line.text) for line in takes.segment.lines)
    kwargs = {"job": takes.plan.job, "segment": segment, "seed": request.seed, "options": request.options}
    async with admission(job, characters):
        made = await asked(job, "voxchord.retake", "voxchord", kwargs, wait_s)
    if made is None:
        return Asked(status="in_progress")
    response.status_code = 200
    if not made.get("ok"):
        raise ApiError(500, f"the take could not be made: {made.get('error')}", code="take_failed")
    return Asked(status="completed", take=made["take"])


@router.post(_SEGMENTS + "/{segment}/pick", status_code=202, responses={200: {"model": Asked}})
async def pick_take(
    job: JobDep, segment: int, request: PickTake, response: Response, wait_s: Seconds = WAIT_S
) -> Asked:
    """Choose a take of a completed job; the file is joined anew, as another revision."""
    plan = await job.away(_pickable, segment, request.take)
    kwargs = {"job": plan.job, "segment": segment, "take": request.take}
    async with admission(job):
        made = await asked(job, "voxchord.pick", "cpu.stitch", kwargs, wait_s)
    if made is None:
        return Asked(status="in_progress", take=request.take)
    response.status_code = 200
    return Asked(status="completed", take=request.take, revision=made["revision"])


def _pickable(job: FoundJob, segment: int, take: int) -> Plan:
    takes = _takes(job, segment)
    if job.planned().state != SUCCEEDED:
        raise ApiError(409, f"job {job.record.id!r} is not completed", code="not_ready")
    if not _is_shown(job, takes, take) or not takes.has_audio(take):
        raise not_found(f"take {take} of segment {segment}")
    return takes.plan


def _takes(job: FoundJob, segment: int) -> Takes:
    """Takes of a segment.

    Raises:
        ApiError: 404, the job has no such segment.
    """
    plan = job.plan()
    if not 0 <= segment < plan.segments:
        raise not_found(f"segment {segment}")
    return job.service.jobs.takes(plan, segment)
