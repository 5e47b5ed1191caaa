"""`GET /v1/audio/jobs/{id}/script`: the script of a job, as a request that makes it again."""

from itertools import groupby
from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel

from pipeline.jobs.plans import Plan
from pipeline.planning.cast_entry import Entry
from pipeline.planning.records import PlannedLine
from web.access.voices import ClientVoices
from web.jobs.found import FoundJob, JobDep
from web.jobs.paths import PATH, RESPONSES
from web.scripts.source import TurnInput

router = APIRouter(tags=["jobs"], responses=RESPONSES)
_INHERITED = ("seed", "verify", "takes_max", "loudness")


class TurnPlace(BaseModel):
    """Place of a turn of the script."""

    source_line: int
    segments: list[int]
    turns: list[int]
    """Indices in the files of turns and words; several where pauses divide the turn."""


class JobScript(BaseModel):
    """Script of a job: `request` makes the same segments if it is sent to create a job.

    The request of a book needs the job as `base_job`, too.
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
    turns, places = _turns(job, plan)
    options = plan.options
    inherited = ((name, getattr(options, name)) for name in _INHERITED)
    own = {name: value for name, value in inherited if value is not None}
    registered = ClientVoices(job.service.voices, job.client)
    request = {
        "input": [turn.model_dump(exclude_none=True) for turn in turns],
        "model": options.model or options.engine,
        "voices": {
            speaker.name: Entry(registered.shown(speaker.voice), speaker.pace, speaker.gain_db).given()
            for speaker in plan.speakers
        },
        "response_format": options.format,
        "title": options.title,
        "on_error": options.on_error,
        "first_segment_words": options.first_segment_words,
        "options": {**own, **plan.engine_options},
    }
    return JobScript(
        request={name: value for name, value in request.items() if value is not None}, places=places
    )


def _turns(job: FoundJob, plan: Plan) -> tuple[list[TurnInput], list[TurnPlace]]:
    """Turns of a job's script, and their places.

    A part of a turn behind a pause belongs to the turn, with a mark for the pause.
    """
    jobs = job.service.jobs
    written = jobs.plans.written(plan.job)
    titles = {chapter.turn: chapter.title for chapter in jobs.plans.book(plan.job)[1]}
    placed = ((line, segment.index) for segment in jobs.plans.segments(plan) for line in segment.lines)
    turns: list[TurnInput] = []
    places: list[TurnPlace] = []
    for turn, group in groupby(placed, key=lambda each: each[0].turn):
        parts = list(group)
        first, segments = parts[0][0], [index for _, index in parts]
        text = written.get(turn) or " ".join(line.text for line, _ in parts)
        if first.continues and turns:
            turns[-1].text += f" {_mark(first)}{_commanded(first, text, turns[-1].speaker)}"
            places[-1].segments = sorted({*places[-1].segments, *segments})
            places[-1].turns.append(turn)
        else:
            turns.append(
                TurnInput(
                    speaker=first.speaker,
                    text=_commanded(first, text, first.speaker),
                    pause_ms=first.pause_ms or None,
                    begins_chapter=titles.get(turn),
                )
            )
            places.append(
                TurnPlace(source_line=first.source_line, segments=sorted(set(segments)), turns=[turn])
            )
    return turns, places


def _commanded(line: PlannedLine, text: str, speaker: str) -> str:
    """A text with the commands that give it its rate, and a voice other than that of the turn."""
    if line.rate != 1.0:
        text = f"[rate:{line.rate:g}]{text}[/rate]"
    return text if line.speaker == speaker else f"[voice:{line.speaker}]{text}[/voice]"


def _mark(line: PlannedLine) -> str:
    return f"[pause:{line.pause_ms}ms] " if line.pause_ms else ""
