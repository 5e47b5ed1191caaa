"""What a job is made of: the records that pass between planning, the stages and the stitch.

A plan lies in the store in pages, so that a worker reads the page of its segment and not a ten-hour book.
Nothing here knows how the script was written or how the sound is made.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PlannedLine:
    """One speaker's words within a segment: a turn, or the part of a turn between two pauses or cuts."""

    turn: int
    """Index of the turn in the script, from 0."""
    source_line: int
    """Number of its line in the script, from 1, for error messages."""
    speaker: str
    """The speaker's name, as the script has it."""
    text: str
    pause_ms: int = 0
    """Silence that the script asks for before it, on top of the join's own."""
    continues: bool = False
    """Whether it continues the turn of the line before it, in this segment or the last."""


@dataclass(frozen=True, slots=True)
class PlannedSegment:
    """What one chain of tasks makes."""

    index: int
    key: str
    """Hex; the hash of all that shapes its sound. Its audio is stored under it."""
    seed: int
    lines: tuple[PlannedLine, ...]
    speakers: tuple[str, ...]
    """The names behind the segment's slots, in the order of the job's speakers."""
    words: int
    """At least 1; counted by `pipeline.script.words`, each line rounded up."""


@dataclass(frozen=True, slots=True)
class Span:
    """A run of samples in a segment's audio, and how loud it is: measured where the samples are born."""

    start: int
    """First sample, from the start of the segment's audio."""
    samples: int
    line: int
    """The first of the segment's lines that it covers."""
    lines: int
    """How many lines it covers: 1 unless the engine can't tell where one ends."""
    text: str
    lufs: float | None
    """Integrated loudness (EBU R 128); None where it is too short or too quiet to have one."""
    true_peak: float
    """Linear, 1.0 is full scale; may be above it."""


@dataclass(frozen=True, slots=True)
class SegmentAudio:
    """What is known of a finished segment without reading its samples."""

    sample_rate_hz: int
    samples: int
    spans: tuple[Span, ...]
