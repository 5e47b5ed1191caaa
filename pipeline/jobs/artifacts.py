"""Artifacts of a job: audio of its segments, and names of the stages' products."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, TypeVar

from pipeline.arrays import Arrays, Samples
from pipeline.canonical_json import canonical_json
from pipeline.checking.records import Finding
from pipeline.errors import MissingArtifactError
from pipeline.jobs.plans import PAGE, Plan, Plans
from pipeline.planning.casting import Speaker
from pipeline.planning.records import PlannedSegment, SegmentAudio, Span
from pipeline.store.artifacts import Store
from pipeline.stored_records import (
    SEGMENT_VERSION,
    TAKE_VERSION,
    check_version,
    columns,
    from_rows,
    known,
    row,
)

Item = TypeVar("Item")
Answer = TypeVar("Answer")

_ASKED_AT_ONCE = 32
_SPANS = "spans"
_FIRST_COLUMNS = ("start", "samples", "line", "lines", "text", "lufs", "true_peak")
"""Columns of spans of release 0.1.0, which names none. Later ones append theirs, so that it reads these."""


FINDINGS_MAX = 20


@dataclass(frozen=True, slots=True)
class Choice:
    """The take of a segment that is used, and the reason."""

    take: int
    reason: str
    """'passed'; or the best one after 'takes_max' takes, after a 'repeated' deviation, or as 'only' take."""
    takes: int = 1
    """Number of takes with a verdict."""
    findings: tuple[tuple[int, Finding], ...] = ()
    """Findings by take, at most `FINDINGS_MAX`."""
    facts: Mapping[str, str | int | float] = field(default_factory=dict)
    """Facts of the verdict on the chosen take."""


@dataclass(frozen=True, slots=True)
class ChosenTake:
    """A segment and its chosen take."""

    segment: PlannedSegment
    take: int | None
    """None if none is chosen yet."""
    choice: Choice | None
    """None if none is made yet."""
    audio: SegmentAudio | None
    """None if it is missing."""


class Artifacts:
    """Segments of the jobs of one store."""

    def __init__(self, store: Store, plans: Plans) -> None:
        self.store, self.plans = store, plans

    def audio(self, segment: PlannedSegment, take: int = 0) -> SegmentAudio | None:
        """Metadata of a take of a segment; None if it is missing."""
        return read_audio(self.store, segment.key, take)

    def missing(self, plan: Plan) -> list[int]:
        """Indices of the segments without a chosen take, in order."""
        return [chosen.segment.index for chosen in self.chosen(plan) if chosen.audio is None]

    def chosen(self, plan: Plan, picks: Mapping[int, int] = MappingProxyType({})) -> Iterator[ChosenTake]:
        """Yield the chosen take of every segment, in order.

        Args:
            picks: takes that were chosen by hand, by the segment's index.
        """

        def take_of(segment: PlannedSegment) -> ChosenTake:
            return self.take_of(plan, segment, picks.get(segment.index))

        for start in range(0, plan.segments, PAGE):
            page = range(start, min(start + PAGE, plan.segments))
            yield from self.ask(take_of, [self.plans.segment(plan.job, index) for index in page])

    def ask(self, question: Callable[[Item], Answer], items: Iterable[Item]) -> Iterator[Answer]:
        """Yield the answers about all items, in order; a remote store is asked about many at a time."""
        if self.store.local:
            yield from map(question, items)
            return
        with ThreadPoolExecutor(_ASKED_AT_ONCE, "jobs-list") as pool:
            yield from pool.map(question, items)

    def take_of(self, plan: Plan, segment: PlannedSegment, pick: int | None = None) -> ChosenTake:
        """The chosen take of one segment, or the one that was picked by hand."""
        choice = read_choice(self.store, plan, segment.key)
        picked = None if pick is None else self.audio(segment, pick)
        if picked is not None:  # the garbage collector may have removed it
            return ChosenTake(segment, pick, choice, picked)
        take = choice.take if choice else None
        return ChosenTake(segment, take, choice, None if take is None else self.audio(segment, take))


def choice_name(plan: Plan, key: str) -> str:
    """Name of the choice among the takes of a segment, for jobs with this check."""
    return stage_name(key, f"choice.{plan.checker}.{plan.options.takes_max}")


def read_choice(store: Store, plan: Plan, key: str) -> Choice | None:
    """Read the choice among the takes of a segment; take 0 if the plan has no check."""
    if not plan.checker:
        return Choice(0, "only")
    name = choice_name(plan, key)
    found = store.get_json(name)
    if found is None:
        return None
    check_version(name, found, TAKE_VERSION)
    findings = tuple((take, known(Finding, finding)) for take, finding in found.get("findings", ()))
    return Choice(found["take"], found["reason"], found.get("takes", 1), findings, found.get("facts", {}))


def put_audio(
    store: Store,
    key: str,
    samples: Samples,
    audio: SegmentAudio,
    take: int = 0,
    more: Mapping[str, Any] = MappingProxyType({}),
) -> SegmentAudio:
    """Store the samples and spans of a take unless it has some; returns the spans of the stored samples.

    Two workers may make two different ones. The artifact `audio` contains its own spans, and the small record
    beside it is always made from these.

    Args:
        more: further fields of the record, see `read_record`.
    """
    record = {
        "version": SEGMENT_VERSION,
        "sample_rate_hz": audio.sample_rate_hz,
        "samples": audio.samples,
        "columns": columns(Span),
        "spans": [row(span) for span in audio.spans],
        **more,
    }
    name = take_name(key, take, "audio")
    meta = {_SPANS: canonical_json(record).decode()}
    if not store.put_arrays(name, Arrays({"samples": samples}, meta)):
        record = json.loads(store.need_arrays(name).meta[_SPANS])
    store.overwrite(take_name(key, take, _SPANS), canonical_json(record))
    return _segment_audio(name, record)


def read_record(store: Store, key: str, take: int = 0) -> dict[str, Any] | None:
    """Read the record of a take's audio; None if it is missing."""
    found: dict[str, Any] | None = store.get_json(take_name(key, take, _SPANS))
    return found


def read_audio(store: Store, key: str, take: int = 0) -> SegmentAudio | None:
    """Read the metadata of a take's audio; None if it is missing."""
    found = read_record(store, key, take)
    return None if found is None else _segment_audio(take_name(key, take, _SPANS), found)


def read_samples(store: Store, key: str, take: int = 0) -> Samples:
    """Read the samples of a take.

    Raises:
        MissingArtifactError: they are missing or damaged, or differ from the record beside them, which is
            then corrected.
    """
    name, record = take_name(key, take, "audio"), take_name(key, take, _SPANS)
    found = store.get_arrays(name)
    if found is None:
        store.objects.delete(record)
        raise MissingArtifactError(name)
    if store.get(record) != found.meta[_SPANS].encode():
        store.overwrite(record, found.meta[_SPANS].encode())
        raise MissingArtifactError(record)
    samples: Samples = found.arrays["samples"]  # type: ignore[assignment]
    return samples


def stage_name(key: str, stage: str) -> str:
    """Name of a stage's product of one segment."""
    return f"segments/{key[:2]}/{key}/{stage}"


def take_name(key: str, take: int, product: str) -> str:
    """Name of a product of one take of a segment.

    >>> take_name("3f00", 0, "audio"), take_name("3f00", 2, "audio")
    ('segments/3f/3f00/audio', 'segments/3f/3f00/take.002.audio')
    """
    return stage_name(key, product if take == 0 else f"take.{take:03d}.{product}")


def speaker_name(plan: Plan, speaker: Speaker) -> str:
    """Name of a speaker's embedding, one per voice, engine, weights and options."""
    content = [plan.options.engine, plan.revision, dict(plan.engine_options), speaker.hash]
    key = hashlib.sha256(canonical_json(content)).hexdigest()[:32]
    return f"speakers/{key[:2]}/{key}"


def _segment_audio(name: str, record: Mapping[str, Any]) -> SegmentAudio:
    check_version(name, record, SEGMENT_VERSION)
    stored = from_rows(Span, record.get("columns", _FIRST_COLUMNS), record["spans"])
    spans = tuple(replace(span, words=tuple((a, b) for a, b in span.words)) for span in stored)
    return SegmentAudio(record["sample_rate_hz"], record["samples"], spans)
