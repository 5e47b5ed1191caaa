"""Diff: the segments that another version of a script would change, and how long these take. Nothing is sent.

The result names segments and source lines, and quotes no words.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy.exc import DBAPIError

from db.database import DatabaseUrlError, open_database, parse_url
from db.queries.rates import DAYS, Rates, rates
from pipeline.errors import OptionError, PipelineError
from pipeline.jobs.difference import Difference, difference
from pipeline.jobs.plans import Plan, is_id, segments_of
from pipeline.planning.cast_entry import Entry
from pipeline.planning.casting import Speaker, cast
from pipeline.planning.records import PlannedSegment
from pipeline.planning.request import JobOptions, read_script, reading_options
from pipeline.stage_names import SEGMENT_STAGES
from pipeline.voices.library import Voices
from tasks.orchestration.resources import Resources, VoxchordApp
from tasks.orchestration.store_outage import requeue_while_unavailable
from tasks.privacy.reasons import without_script
from tasks.render import request_of
from tasks.settings import Settings
from tasks.task import VoxchordTask

_INHERITED = ("engine", "model", "seed", "verify", "takes_max", "first_segment_words", "segment_owner")
"""Options of the old job that the new version has, too, unless others are given."""


def register(app: VoxchordApp) -> None:
    """Register the task with an app."""
    app.task(bind=True, base=VoxchordTask, name="voxchord.diff", throws=(PipelineError,))(diff)


def diff(
    self: VoxchordTask,
    script: Any = None,
    job: str | None = None,
    old_script: Any = None,
    voices: dict[str, Any] | None = None,
    options: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Compare a script with a job, or with another script.

    Args:
        script: the new version, in any form that `voxchord.render` takes.
        job: job ID or task ID of the old version.
        old_script: the old version, in place of a job.
        voices: as of `voxchord.render`; by default those of the job.
        options: as of `voxchord.render`; by default those of the job.

    Returns:
        See `compare`.
    """
    with requeue_while_unavailable(self.app):
        return compare(self.app.resources, script, job, old_script, voices, options)


def compare(
    resources: Resources,
    script: Any,
    job: str | None = None,
    old_script: Any = None,
    voices: dict[str, Any] | None = None,
    options: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Compare a script with a job or another script.

    Returns:
        The record of `pipeline.jobs.difference.Difference`, and `estimate` (see `estimate`).

    Raises:
        PipelineError: an invalid script, voice or option; its reason has no words of either script.
    """
    names = set[str]()
    try:
        if (job is None) == (old_script is None):
            raise OptionError("job", "give either a job or an old script to compare with")
        if job is not None:
            plan = _plan(resources, job)
            options = {**_options_of(plan), **(options or {})}
            voices = voices if voices is not None else _voices_of(resources, plan, script, options)
            old: Sequence[PlannedSegment] = list(resources.jobs.plans.segments(plan))
        else:
            before, profile = request_of(resources, old_script, voices or {}, options or {}, names)
            old = segments_of(before, profile)
        request, profile = request_of(resources, script, voices or {}, options or {}, names)
    except PipelineError as error:
        raise without_script(without_script(error, script, names), old_script, names) from None
    found = difference(resources.jobs.store, old, segments_of(request, profile), profile)
    return {**found.record(), "estimate": estimate(resources.settings, found, request.options)}


def estimate(settings: Settings, found: Difference, options: JobOptions) -> dict[str, Any]:
    """Estimate the work that a difference takes, by the history's rates.

    Returns:
        `work_s`, seconds of all processes together, `wall_s` with as many processes as a job had at most,
        `processes`, `based_on_audio_s` and `days`. All but the last are None if the history has no such work.
    """
    known = _rates(settings, options.engine)
    tasks = frozenset(
        f"voxchord.{stage}" for stage in SEGMENT_STAGES if stage != "verify" or options.verify != "off"
    )
    work_s = known.work_s(found.audio_s, tasks) if known else None
    if known is None or work_s is None:
        unknown = dict.fromkeys(("work_s", "wall_s", "processes", "based_on_audio_s"))
        return {**unknown, "days": DAYS}
    longest_s = known.work_s(
        max((each.audio_s for each in found.changed if not each.made), default=0.0), tasks
    )
    return {
        "work_s": round(work_s, 1),
        "wall_s": round(max(longest_s or 0.0, work_s / known.processes), 1),
        "processes": known.processes,
        "based_on_audio_s": round(known.audio_s),
        "days": DAYS,
    }


def _rates(settings: Settings, engine: str) -> Rates | None:
    """Rates of an engine; None if the history is missing or does not answer."""
    try:
        place = parse_url(settings.history_url)
        if place.drivername.startswith("sqlite") and not Path(str(place.database)).exists():
            return None
        history = open_database(settings.history_url, migrate=False)
        try:
            return rates(history, engine)
        finally:
            history.dispose()
    except (DBAPIError, DatabaseUrlError):
        return None


def _plan(resources: Resources, job: Any) -> Plan:
    """Plan of a job, by its ID or the ID of its task.

    Raises:
        OptionError: no such job.
    """
    name = job if is_id(job) else resources.jobs.intake.job_of(str(job))
    plan = resources.jobs.plans.get(name) if name else None
    if plan is None:
        raise OptionError("job", "no job has this ID, and no accepted request this task ID")
    return plan


def _options_of(plan: Plan) -> dict[str, Any]:
    own = {name: getattr(plan.options, name) for name in _INHERITED}
    return {**{name: value for name, value in own.items() if value is not None}, **plan.engine_options}


def _voices_of(resources: Resources, plan: Plan, script: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """Voices that were given in a job's request, for those who speak in another script.

    Default voices are left to the casting, which may change them as it would in a new request.
    """
    if not isinstance(script, str | bytes | list):
        return {}
    given, characters_max = _given(resources, plan), resources.settings.characters_max
    reading = reading_options(options, resources.settings.reading_defaults)
    parsed = read_script(script, reading, characters_max=characters_max, voices=given)
    return {name: voice for name, voice in given.items() if name in parsed.speakers}


def _given(resources: Resources, plan: Plan) -> dict[str, Any]:
    """The fewest entries of a job with which the casting gives all others by default."""
    profile, registered = resources.engine_of(plan.options).profile, Voices(resources.jobs.store)
    names = [speaker.name for speaker in plan.speakers]
    every = {
        speaker.name: Entry(speaker.voice, speaker.pace, speaker.gain_db).given() for speaker in plan.speakers
    }

    def of(voices: Mapping[str, Any]) -> list[Speaker]:
        return cast(names, voices, profile, registered).speakers

    default = {speaker.name: speaker for speaker in of({})}
    other = {s.name: every[s.name] for s in plan.speakers if default.get(s.name) != s}
    return next((voices for voices in ({}, other) if of(voices) == list(plan.speakers)), every)
