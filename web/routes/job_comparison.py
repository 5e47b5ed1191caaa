"""`GET /v1/audio/jobs/{id}/comparison`: two jobs side by side, by their scripts, settings and cost."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel
from sqlalchemy.exc import DBAPIError

from db.queries import catalog
from db.reports.advice import stage_name
from pipeline.jobs.plans import Plan
from pipeline.views.turn_difference import Change, changes
from web.errors import ApiError
from web.jobs import views
from web.jobs.found import FoundJob, JobDep
from web.jobs.paths import PATH, RESPONSES
from web.routes.job_script import JobScript, job_script

router = APIRouter(tags=["jobs"], responses=RESPONSES)
_SEGMENTS_MAX = 5000
_CHANGES_MAX, _TURNS_MAX = 200, 1000
"""Most changes in a response, and most turns in them."""
_SETTINGS = ("model", "response_format", "on_error", "first_segment_words")
_NAMES = {"n": "attempts", "not_success": "unsuccessful"}


class ComparedTurn(BaseModel):
    """A turn that only one of the scripts has."""

    source_line: int
    segments: list[int]
    speaker: str
    text: str


class ComparedChange(BaseModel):
    """Turns of one script in the place of others; a side is empty where turns were added or removed."""

    a: list[ComparedTurn]
    b: list[ComparedTurn]


class ComparedSetting(BaseModel):
    """A voice or an option that differs; null where a job does not have it."""

    name: str
    a: str | None
    b: str | None


class ComparedFigure(BaseModel):
    """A figure of the history; null is not measured."""

    name: str
    """`attempts`, `unsuccessful`, or a unit at its end: `_s`, `_mib`, `_j`."""
    a: float | None
    b: float | None


class ComparedStage(BaseModel):
    """Cost of a stage in both jobs. Times are sums over all attempts, `wait_s` is a mean."""

    stage: str
    differs: str | None
    """First figure that differs by more than a quarter; `missing` if one of the jobs did not run the stage.
    """
    figures: list[ComparedFigure]


class ComparedSegments(BaseModel):
    """Segments that only one of the jobs has, by their indices."""

    shared: int
    """Segments of the second job that the first one has, too."""
    a: list[int]
    b: list[int]


class JobComparison(BaseModel):
    """Two jobs side by side."""

    object: Literal["audio.job.comparison"] = "audio.job.comparison"
    a: views.JobView
    b: views.JobView
    settings: list[ComparedSetting]
    segments: ComparedSegments
    turns_shared: int
    changes: list[ComparedChange]
    changes_omitted: int
    stages: list[ComparedStage] | None
    """Null if the history's database does not answer."""


@router.get(PATH + "/{id}/comparison")
async def compare_jobs(
    job: JobDep,
    other: Annotated[str, Query(max_length=200, description="ID of the job it is compared with.")],
) -> JobComparison:
    """Compare a job with another one: differing turns, segments, voices and options, and what each cost."""
    record = await job.away(lambda found: views.found(found.jobs, other))
    second = FoundJob(job.service, job.client, job.jobs, record)
    return await job.service.compute(_compared, job, second)


def _compared(a: FoundJob, b: FoundJob) -> JobComparison:
    plan_a, plan_b = _plan(a), _plan(b)
    script_a, script_b = job_script(a, plan_a), job_script(b, plan_b)
    found = changes(_turns(script_a), _turns(script_b))
    shown = list(_shown(script_a, script_b, found[:_CHANGES_MAX]))
    return JobComparison(
        a=a.view(),
        b=b.view(),
        settings=_settings(script_a.request, script_b.request),
        segments=_segments(a, plan_a, plan_b),
        turns_shared=len(script_a.places) - sum(each.end_a - each.start_a for each in found),
        changes=shown,
        changes_omitted=len(found) - len(shown),
        stages=_stages(a, plan_a.job, plan_b.job),
    )


def _plan(job: FoundJob) -> Plan:
    """Plan of a job that is not too long to be compared.

    Raises:
        ApiError: 409, it has none; 413, it is too long.
    """
    plan = job.plan()
    if plan.segments > _SEGMENTS_MAX:
        raise ApiError(413, f"more than {_SEGMENTS_MAX:,} segments", code="too_large")
    return plan


def _turns(script: JobScript) -> list[tuple[str, str]]:
    return [(turn["speaker"], turn["text"]) for turn in script.request["input"]]


def _shown(a: JobScript, b: JobScript, found: list[Change]) -> Iterator[ComparedChange]:
    """Changes with their turns, as many as a response holds."""
    left = _TURNS_MAX
    for change in found:
        left -= change.end_a - change.start_a + change.end_b - change.start_b
        if left < 0 and change is not found[0]:
            return
        yield ComparedChange(a=_of(a, change.start_a, change.end_a), b=_of(b, change.start_b, change.end_b))


def _of(script: JobScript, start: int, end: int) -> list[ComparedTurn]:
    turns, places = script.request["input"][start:end], script.places[start:end]
    return [
        ComparedTurn(
            source_line=place.source_line,
            segments=place.segments,
            speaker=turn["speaker"],
            text=turn["text"],
        )
        for turn, place in zip(turns[:_TURNS_MAX], places, strict=False)
    ]


def _settings(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[ComparedSetting]:
    one, other = dict(_named(a)), dict(_named(b))
    return [
        ComparedSetting(name=name, a=one.get(name), b=other.get(name))
        for name in dict.fromkeys((*one, *other))
        if one.get(name) != other.get(name)
    ]


def _named(request: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield from ((name, str(request[name])) for name in _SETTINGS if name in request)
    yield from ((f"voice of {speaker}", _entry(voice)) for speaker, voice in request["voices"].items())
    yield from ((name, str(value)) for name, value in request["options"].items() if value is not None)


def _entry(given: str | Mapping[str, Any]) -> str:
    """A speaker's voice, with the pace and the gain where it has its own.

    >>> _entry("wren"), _entry({"voice": "wren", "pace": 1.1})
    ('wren', 'wren, pace 1.1')
    """
    if isinstance(given, str):
        return given
    more = (f"{name} {value}" for name, value in given.items() if name != "voice" and value is not None)
    return ", ".join((str(given["voice"]), *more))


def _segments(job: FoundJob, a: Plan, b: Plan) -> ComparedSegments:
    """Compare the segments by their keys, which cover all that shapes the sound."""
    plans = job.service.jobs.plans
    one, other = ([segment.key for segment in plans.segments(plan)] for plan in (a, b))
    keys_a, keys_b = set(one), set(other)
    return ComparedSegments(
        shared=sum(key in keys_a for key in other),
        a=[index for index, key in enumerate(one) if key not in keys_b],
        b=[index for index, key in enumerate(other) if key not in keys_a],
    )


def _stages(job: FoundJob, a: str, b: str) -> list[ComparedStage] | None:
    try:
        rows = catalog.run(job.service.database, "compare", a=a, b=b).records()
    except DBAPIError:
        return None
    return [
        ComparedStage(stage=stage_name(row["task_name"]), differs=row["differs"], figures=_figures(row))
        for row in rows
    ]


def _figures(row: Mapping[str, Any]) -> list[ComparedFigure]:
    names = [name.removesuffix("_a") for name in row if name.endswith("_a")]
    return [
        ComparedFigure(name=_NAMES.get(name, name), a=row[f"{name}_a"], b=row[f"{name}_b"])
        for name in names
        if row[f"{name}_a"] is not None or row[f"{name}_b"] is not None
    ]
