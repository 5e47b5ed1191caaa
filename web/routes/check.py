"""`POST /v1/audio/check`: check a script as a job would, without rendering it."""

from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel

from db.queries.rates import DAYS
from pipeline.books.chapter_list import ListedChapter
from pipeline.engines.protocol import Engine, Options
from pipeline.errors import EngineError
from pipeline.jobs.difference import difference
from pipeline.jobs.plans import segments_of
from pipeline.planning.check import Check, check
from pipeline.planning.pronunciation import pronunciation_of
from pipeline.planning.request import JobOptions, accepted, read_script, reading_options, split_options
from tasks.diff import estimate
from web import errors
from web.access.clients import Client, ClientDep, segment_options
from web.access.voices import ClientVoices
from web.jobs.request import CompareScript, arguments
from web.numbers import Whole
from web.scripts.source import given_source
from web.service import Service, ServiceDep
from web.speech.request import Translation

router = APIRouter(tags=["jobs"], responses=errors.RESPONSES)
_FINDINGS_MAX = 500


class CheckScript(CompareScript):
    """A script, with the voices and options that a job of it would have."""

    first_segment_words: Whole | None = None


class CheckedSpeaker(BaseModel):
    """A speaker's share of a script."""

    name: str
    voice: str
    """Empty where the speaker has none."""
    turns: int
    words: int
    minutes: float


class ScriptFinding(BaseModel):
    """A problem or a notice at a line; it quotes none of the script's words."""

    line: int
    reason: str


class Estimate(BaseModel):
    """Expected work by the history's rates; null where it has no such work."""

    work_s: float | None = None
    """Seconds of all processes together."""
    wall_s: float | None = None
    processes: int | None = None
    based_on_audio_s: float | None = None
    days: int = DAYS


class CheckedScript(BaseModel):
    """Form, speakers, problems and notices of a script, and what a job of it takes."""

    object: Literal["audio.check"] = "audio.check"
    form: str
    words: int
    minutes: float
    """Expected duration of the audio."""
    speakers: list[CheckedSpeaker]
    problems: list[ScriptFinding]
    """A script with problems is refused by a job."""
    notices: list[ScriptFinding]
    findings_omitted: int
    omitted: dict[str, dict[str, int]]
    """Number and words of what is not spoken, by kind."""
    chapters: list[ListedChapter] = []
    spelled: int = 0
    """Characters that the engine does not speak, and that are spelled by name."""
    segments: int | None = None
    """Null if there are problems, or if only the workers have the engine's model."""
    segments_made: int | None = None
    """Segments that are stored already, from another job."""
    estimate: Estimate


@router.post("/v1/audio/check")
async def check_script(request: CheckScript, service: ServiceDep, client: ClientDep) -> CheckedScript:
    """Check a script or book, its voices and options: speakers, problems at their lines, what it takes."""
    return await service.compute(_checked, service, client, request)


def _checked(service: Service, client: Client, request: CheckScript) -> CheckedScript:
    translation = Translation(service.settings, service.engines)
    further: dict[str, Any] = {**segment_options(service, client)}
    if request.first_segment_words is not None:
        further["first_segment_words"] = request.first_segment_words
    registered = ClientVoices(service.voices, client)
    source = given_source(service, client, request)
    given = arguments(request, source, translation, registered, further)
    own, rest = split_options(given["options"], engine=service.settings.engine)
    engine = service.celery.resources.engine_of(own)
    engine_options = engine.options(rest)
    found = _check(service, engine, given, engine_options)
    shown = _shown(found, registered)
    if shown.problems:
        return shown
    try:
        _add_segments(shown, service, engine, found, own, engine_options)
    except EngineError:  # the checkpoint is where the workers are
        return shown
    return shown


def _check(service: Service, engine: Engine, given: dict[str, Any], engine_options: Options) -> Check:
    reading = reading_options(given["options"], service.settings.reading_defaults)
    characters_max = service.settings.characters_max
    script = read_script(given["script"], reading, characters_max=characters_max, voices=given["voices"])
    return check(
        script,
        given["voices"],
        engine=engine,
        registered=service.voices,
        pronunciation=pronunciation_of(service.settings.lexicon, reading.lexicon, reading.normalize),
        unspeakable=reading.unspeakable,
        engine_options=engine_options,
    )


def _shown(found: Check, registered: ClientVoices) -> CheckedScript:
    summary = found.summary().record()
    problems, notices = summary["problems"], summary["notices"]
    hidden = max(0, len(problems) - _FINDINGS_MAX) + max(0, len(notices) - _FINDINGS_MAX)
    speakers = [{**each, "voice": registered.shown(each["voice"])} for each in summary["speakers"]]
    return CheckedScript(
        form=summary["form"],
        words=summary["words"],
        minutes=summary["minutes"],
        speakers=[CheckedSpeaker(**each) for each in speakers],
        problems=[ScriptFinding(**each) for each in problems[:_FINDINGS_MAX]],
        notices=[ScriptFinding(**each) for each in notices[:_FINDINGS_MAX]],
        findings_omitted=hidden,
        omitted=summary["omitted"],
        spelled=summary["spelled"],
        chapters=[ListedChapter(**each) for each in summary["chapters"]],
        estimate=Estimate(),
    )


def _add_segments(
    shown: CheckedScript,
    service: Service,
    engine: Engine,
    found: Check,
    own: JobOptions,
    engine_options: Options,
) -> None:
    request = accepted(found, own, engine_options, engine=engine)
    segments = segments_of(request, engine.profile)
    new = difference(service.jobs.store, (), segments, engine.profile)
    shown.segments = new.segments
    shown.segments_made = sum(each.made for each in new.changed)
    shown.estimate = Estimate(**estimate(service.settings, new, own))
