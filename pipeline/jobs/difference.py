"""Difference between two versions of a script: the segments that change, and what is to be made."""

from collections.abc import Container, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pipeline.engines.protocol import Profile
from pipeline.jobs.artifacts import take_name
from pipeline.planning.records import PlannedSegment
from pipeline.store.artifacts import Store


@dataclass(frozen=True, slots=True)
class ChangedSegment:
    """A segment that only one of the versions has. It names lines, and quotes none of their words."""

    segment: int
    """Index in its own version."""
    first_line: int
    """Lines of its script, from 1."""
    last_line: int
    words: int
    audio_s: float
    """Expected duration."""
    made: bool = False
    """True if the store has its audio already, from another job."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Segments of a new version that the old one lacks, and the reverse."""

    segments: int
    """Segments of the new version."""
    unchanged: int
    changed: tuple[ChangedSegment, ...]
    """Segments of the new version with other words, voices or options."""
    removed: tuple[ChangedSegment, ...]
    """Segments of the old version that the new one does not have."""

    @property
    def audio_s(self) -> float:
        """Expected duration of the audio to be made."""
        return round(sum(each.audio_s for each in self.changed if not each.made), 2)

    def record(self) -> dict[str, Any]:
        """Convert to plain JSON values."""
        return {**asdict(self), "audio_s": self.audio_s}


def difference(
    store: Store, old: Iterable[PlannedSegment], new: Sequence[PlannedSegment], profile: Profile
) -> Difference:
    """Compare the segments of two versions by their keys, which cover all that shapes the sound."""
    before = {segment.key: segment for segment in old}
    keys = {segment.key for segment in new}
    changed = [
        _changed(segment, profile, made=store.has(take_name(segment.key, 0, "spans")))
        for segment in new
        if segment.key not in before
    ]
    removed = [_changed(segment, profile) for segment in _without(before.values(), keys)]
    return Difference(len(new), len(new) - len(changed), tuple(changed), tuple(removed))


def _without(segments: Iterable[PlannedSegment], keys: Container[str]) -> Iterable[PlannedSegment]:
    return (segment for segment in segments if segment.key not in keys)


def _changed(segment: PlannedSegment, profile: Profile, *, made: bool = False) -> ChangedSegment:
    lines = [line.source_line for line in segment.lines]
    audio_s = round(segment.words / profile.words_per_s, 2)
    return ChangedSegment(segment.index, min(lines), max(lines), segment.words, audio_s, made)
