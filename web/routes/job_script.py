"""`GET /v1/audio/jobs/{id}/script`: the script of a job, as a request that makes it again."""

from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel

from pipeline.file_formats import READ_ALONG
from pipeline.jobs.plans import Plan
from pipeline.planning.cast_entry import Entry
from pipeline.views.script_source import SourceTurn, turns_of
from web.access.voices import ClientVoices
from web.jobs.found import FoundJob, JobDep
from web.jobs.paths import PATH, RESPONSES
from web.scripts.source import TurnInput

router = APIRouter(tags=["jobs"], responses=RESPONSES)
_READING_FIELDS = ("lexicon", "symbols")
_INHERITED = ("seed", "verify", "takes_max", "loudness")


class TurnPlace(BaseModel):
    """Place of a turn of the script."""

    source_line: int
    segments: list[int]
    turns: list[int]
    """Indices in the files of turns and words; several where pauses divide the turn."""


class JobScript(BaseModel):
    """Script of a job: `request` makes the same segments if it is sent to create a job.

    The request of a book needs the job as `base_job`, too. That of a read-along book asks for M4B.
    """

    object: Literal["audio.job.script"] = "audio.job.script"
    request: dict[str, Any]
    places: list[TurnPlace]
    """Place of each turn of the request's `input`, in order."""


@router.get(PATH + "/{id}/script")
async def get_script(job: JobDep) -> JobScript:
    """Get a job's script as turns, with its voices and options, and the segments of each turn."""
    return await job.away(lambda found: job_script(found, found.plan()))


def job_script(job: FoundJob, plan: Plan) -> JobScript:
    """Script of a job that has a plan."""
    turns, options = turns_of(job.service.jobs, plan), plan.options
    reading = dict(job.service.jobs.plans.reading(plan.job).options)
    fields: dict[str, Any] = {name: reading.pop(name) for name in _READING_FIELDS if name in reading}
    inherited = ((name, getattr(options, name)) for name in _INHERITED)
    own = {name: value for name, value in inherited if value is not None}
    registered = ClientVoices(job.service.voices, job.client)
    request: dict[str, Any] = {
        "input": [_turn(each).model_dump(exclude_none=True) for each in turns],
        "model": options.model or options.engine,
        "voices": {
            speaker.name: Entry(registered.shown(speaker.voice), speaker.pace, speaker.gain_db).given()
            for speaker in plan.speakers
        },
        "response_format": "m4b" if options.format == READ_ALONG else options.format,
        "title": options.title,
        "split_hours": options.split_hours,
        "on_error": options.on_error,
        "first_segment_words": options.first_segment_words,
        "options": {**own, **reading, **plan.engine_options},
        **fields,
    }
    return JobScript(
        request={name: value for name, value in request.items() if value is not None},
        places=[
            TurnPlace(source_line=each.source_line, segments=list(each.segments), turns=list(each.turns))
            for each in turns
        ],
    )


def _turn(each: SourceTurn) -> TurnInput:
    return TurnInput(
        speaker=each.speaker,
        text=each.text,
        pause_ms=each.pause_ms or None,
        begins_chapter=each.begins_chapter,
    )
