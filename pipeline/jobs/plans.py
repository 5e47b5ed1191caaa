"""Plans of jobs, in pages, each with a copy beside it, since they cannot be made again."""

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, TypeGuard

from pipeline import clock
from pipeline.canonical_json import canonical_json
from pipeline.engines.protocol import Options, Profile
from pipeline.errors import MissingArtifactError, NewerRecordError, OptionError
from pipeline.file_formats import READ_ALONG
from pipeline.jobs.coordination import Coordination
from pipeline.jobs.script_record import (
    Reading,
    get_book,
    get_reading,
    is_book,
    need_source,
    put_book,
    put_reading,
    put_source,
)
from pipeline.planning.casting import Speaker
from pipeline.planning.records import PlannedLine, PlannedSegment
from pipeline.planning.request import JOB_ID, JobOptions, Request
from pipeline.planning.segmenter import CUT_VERSION
from pipeline.planning.segmenter import plan as plan_segments
from pipeline.script.turns import Script, ScriptChapter, Work
from pipeline.store.artifacts import Store
from pipeline.stored_records import (
    PLAN_VERSION,
    PLAN_VERSION_RATES,
    check_version,
    columns,
    from_rows,
    known,
    row,
)

PAGE = 256


def is_id(job: object) -> TypeGuard[str]:
    """True for a valid job ID."""
    return isinstance(job, str) and re.fullmatch(JOB_ID, job) is not None


def checked_id(job: object) -> str:
    """Validate a job ID, before it becomes part of a name in the store.

    Raises:
        OptionError: an invalid ID.
    """
    if not is_id(job):
        raise OptionError("job", "not a job ID, which has 20 hexadecimal digits")
    return job


@dataclass(frozen=True, slots=True)
class Plan:
    """Plan of a job, without its words."""

    job: str
    options: JobOptions
    engine_options: Options
    revision: str
    speakers: tuple[Speaker, ...]
    segments: int
    turns: int
    words: int
    characters: int
    created_s: float
    """Seconds since the epoch."""
    cut: int = 1
    """Version of the segmentation, which all pages have in common."""
    checker: str = ""
    """Identity of the check of every take; empty if takes are not checked."""

    def voice(self, name: str) -> Speaker:
        return next(speaker for speaker in self.speakers if speaker.name == name)


def segments_of(request: Request, profile: Profile) -> list[PlannedSegment]:
    """Cut a request into segments; nothing is stored."""
    identity = {
        "engine": request.options.engine,
        "revision": request.revision,
        "options": dict(request.engine_options),
        "seed": request.options.seed,
    }
    voices = {speaker.name: speaker.hash for speaker in request.speakers}
    cut = plan_segments(
        request.spoken_turns,
        profile,
        speakers=voices,
        identity=identity,
        first_words=request.options.first_segment_words,
        owner=request.options.segment_owner,
        chapters=_begins(request.script, profile),
    )
    return list(cut)


def _begins(script: Script, profile: Profile) -> list[int]:
    """Turns that begin a segment: chapters of books, and timed cues where lines cannot be told apart."""
    chapters = [chapter.turn for chapter in script.chapters] if script.work else []
    return chapters if profile.separates_lines else [*chapters, *script.starts_ms]


class Plans:
    """Plans of the jobs of one store."""

    def __init__(self, store: Store, coordination: Coordination) -> None:
        self.store, self.coordination = store, coordination

    def create(self, request: Request, profile: Profile) -> Plan:
        """Plan a job and store the plan; a second call adopts the stored plan and repairs damaged pages."""
        job = request.job
        existing = None
        if _get_either(self.store, f"jobs/{job}/plan") is None:
            self.forget(job)  # it is new, damaged, or was removed by the garbage collector
        else:
            existing = self.get(job)
        if existing and self._whole(existing):
            return existing
        segments = segments_of(request, profile)
        for start in range(0, len(segments), PAGE):
            _put_page(self.store, _page_name(job, start // PAGE), _packed(segments[start : start + PAGE]))
        plan = Plan(
            job=job,
            options=request.options,
            engine_options=request.engine_options,
            revision=request.revision,
            speakers=request.speakers,
            segments=len(segments),
            turns=len(request.script.turns),
            words=request.script.words,
            characters=request.script.characters,
            created_s=round(clock.now(), 3),
            checker=request.checker,
            cut=CUT_VERSION,
        )
        self.coordination.open(job)
        self.coordination.touch(job)
        if request.summary is not None:
            self.store.put_json(_summary_name(job), request.summary.stored())
        put_book(self.store, job, request.script)
        if request.options.format == READ_ALONG:
            put_source(self.store, job, request.script)
        if request.wordings:
            self.store.put_json(_written_name(job), request.written)
        put_reading(self.store, job, request.script, request.reading)
        if request.script.starts_ms:
            self.store.put_json(_starts_name(job), request.script.starts_ms)
        other = existing is not None and existing.cut != CUT_VERSION
        record = {"version": _version(segments), **asdict(plan)}
        _put_twice(self.store, f"jobs/{job}/plan", record, replace=other)
        if other:
            self.forget(job)
        return self.need(job)

    def forget(self, job: str) -> None:
        """Drop what this process has cached of a plan."""
        _plans.pop((self.store.url, job), None)
        _page.cache_clear()

    def summary(self, job: str) -> dict[str, Any] | None:
        """Read the summary of a job's script; None for plans of older releases."""
        found: dict[str, Any] | None = self.store.get_json(_summary_name(job))
        return found

    def written(self, job: str) -> dict[int, str]:
        """Read the texts of turns that are spoken in other words, by the turn's index."""
        found = self.store.get_json(_written_name(job)) or {}
        return {int(turn): text for turn, text in found.items()}

    def starts_ms(self, job: str) -> dict[int, int]:
        """Read the times at which turns are to begin, by the turn's index; empty for most scripts."""
        found = self.store.get_json(_starts_name(job)) or {}
        return {int(turn): start_ms for turn, start_ms in found.items()}

    def book(self, job: str) -> tuple[Work, tuple[ScriptChapter, ...]]:
        """Read what is known of a job's book, and its chapters; empty for a script without any."""
        return get_book(self.store, job)

    def is_book(self, job: str) -> bool:
        """True if a job's script is a book, known by name or not: its chapters begin segments."""
        return is_book(self.store, job)

    def reading(self, job: str) -> Reading:
        """Read how a job's script was read, beside its words."""
        return get_reading(self.store, job)

    def source(self, job: str) -> bytes:
        """Read the EPUB of a job that makes a read-along book.

        Raises:
            MissingArtifactError: it is lost.
        """
        return need_source(self.store, job)

    def _whole(self, plan: Plan) -> bool:
        """True if every page of a plan, or its copy, can be read and is of the plan's segmentation."""
        pages = [_page_name(plan.job, page) for page in range(-(-plan.segments // PAGE))]
        return all(_cut_of(_get_either(self.store, name)) == plan.cut for name in pages)

    def get(self, job: str) -> Plan | None:
        """Read a plan; None if there is none.

        Raises:
            NewerRecordError: a later release wrote it.
        """
        return _plan(self.store, job)

    def need(self, job: str) -> Plan:
        """Read a plan.

        Raises:
            MissingArtifactError: unknown job.
        """
        plan = self.get(job)
        if plan is None:
            raise MissingArtifactError(f"jobs/{job}/plan")
        return plan

    def open_jobs(self) -> Iterator[Plan]:
        """Plans of the open jobs, without those that are not planned yet, or only a later release can read.

        A job is opened before its plan is written, so that no plan is without an owner.
        """
        for job in self.coordination.opened():
            with suppress(NewerRecordError):
                plan = self.get(job)
                if plan:
                    yield plan

    def segment(self, job: str, index: int) -> PlannedSegment:
        return _page(self.store, job, index // PAGE)[index % PAGE]

    def segments(self, plan: Plan) -> Iterator[PlannedSegment]:
        for index in range(plan.segments):
            yield self.segment(plan.job, index)

    def ids(self) -> Iterator[str]:
        """IDs of all planned jobs."""
        for name, _, _ in self.store.objects.names("jobs"):
            if name.endswith("/plan"):
                yield name.split("/")[1]


def _written_name(job: str) -> str:
    return f"jobs/{job}/written"


def _starts_name(job: str) -> str:
    return f"jobs/{job}/starts"


def _summary_name(job: str) -> str:
    return f"jobs/{job}/summary"


def _page_name(job: str, page: int) -> str:
    return f"jobs/{job}/plan.{page:05d}"


def _put_twice(store: Store, name: str, value: Any, *, replace: bool = False) -> None:
    put = store.overwrite if replace else store.put
    for each in (f"{name}~", name):
        put(each, canonical_json(value))


def _put_page(store: Store, name: str, page: dict[str, Any]) -> None:
    """Write a page; one of another segmentation, left by another release, is replaced."""
    _put_twice(store, name, page, replace=_cut_of(_get_either(store, name)) not in (None, page["cut"]))


def _cut_of(page: Any | None) -> int | None:
    """Version of a page's segmentation; None for a missing page."""
    if page is None:
        return None
    return int(page.get("cut", 1)) if isinstance(page, dict) else 1


def _get_either(store: Store, name: str) -> Any | None:
    """Read a value, or its copy if the first is damaged."""
    found = store.get_json(name)
    if found is None and store.objects.size(name) is not None:
        found = store.get_json(f"{name}~")
    return found


_FIRST_COLUMNS = {
    "columns": ("index", "key", "seed", "lines", "speakers", "words"),
    "line_columns": ("turn", "source_line", "speaker", "text", "pause_ms", "continues"),
}
"""Columns of the pages of release 0.1.0, which are bare lists of rows."""


def _packed(segments: list[PlannedSegment]) -> dict[str, Any]:
    names = columns(PlannedSegment)
    lines = names.index("lines")
    rows = [row(segment) for segment in segments]
    for values in rows:
        values[lines] = [row(line) for line in values[lines]]
    return {
        "version": _version(segments),
        "cut": CUT_VERSION,
        "columns": names,
        "line_columns": columns(PlannedLine),
        "segments": rows,
    }


def _version(segments: Sequence[PlannedSegment]) -> int:
    """Version of a plan or page, the lowest that a release must know to speak it."""
    rates = any(line.rate != 1.0 for segment in segments for line in segment.lines)
    return PLAN_VERSION_RATES if rates else PLAN_VERSION


def _unpacked(page: Mapping[str, Any]) -> list[PlannedSegment]:
    lines, speakers = (page["columns"].index(name) for name in ("lines", "speakers"))
    for values in page["segments"]:
        values[lines] = tuple(from_rows(PlannedLine, page["line_columns"], values[lines]))
        values[speakers] = tuple(values[speakers])
    return from_rows(PlannedSegment, page["columns"], page["segments"])


_plans: dict[tuple[str, str], Plan] = {}


def _plan(store: Store, job: str) -> Plan | None:
    """Read a plan through a cache of this process; plans never change and take a few kB each."""
    key = (store.url, job)
    plan = _plans.get(key)  # a reference, since another thread may clear the cache
    if plan is None:
        name = f"jobs/{job}/plan"
        found = _get_either(store, name)
        if found is None:
            return None
        check_version(name, found, PLAN_VERSION_RATES)
        found["options"] = known(JobOptions, {"verify": "off", **found["options"]})  # release 0.1.0 has none
        found["speakers"] = tuple(known(Speaker, speaker) for speaker in found["speakers"])
        plan = known(Plan, found)
        if len(_plans) >= 64:
            _plans.clear()
        _plans[key] = plan
    return plan


@functools.lru_cache(maxsize=8)
def _page(store: Store, job: str, page: int) -> list[PlannedSegment]:
    name = _page_name(job, page)
    found = _get_either(store, name)
    plan = _plan(store, job)
    if found is None or (plan and plan.cut != _cut_of(found)):
        raise MissingArtifactError(name)
    if isinstance(found, list):
        found = {"segments": found, **_FIRST_COLUMNS}
    check_version(name, found, PLAN_VERSION_RATES)
    return _unpacked(found)
