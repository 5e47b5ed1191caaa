"""Records that pass between planning, the stages and the stitch.

A plan is stored in pages, so that a worker reads the page of its segment and not a ten-hour book. The records
depend neither on the form of the script nor on the engine.
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
    """The speaker's name in the script."""
    text: str
    pause_ms: int = 0
    """Silence requested before it, in addition to the stitcher's own."""
    continues: bool = False
    """True if it continues the turn of the previous line, in this segment or the one before."""
    rate: float = 1.0
    """Factor of the speaking rate."""


@dataclass(frozen=True, slots=True)
class PlannedSegment:
    """Segment, the work of one chain of tasks."""

    index: int
    key: str
    """Hash of everything that shapes its sound, in hex. Its audio is stored under this key."""
    seed: int
    lines: tuple[PlannedLine, ...]
    speakers: tuple[str, ...]
    """Names of the segment's speaker slots, in the order of their voices' hashes."""
    words: int
    """At least 1; counted by `pipeline.script.words`, each line rounded up."""


@dataclass(frozen=True, slots=True)
class Span:
    """A range of samples in a segment's audio, and its loudness, measured by the diffusion stage."""

    start: int
    """First sample, from the start of the segment's audio."""
    samples: int
    line: int
    """First line of the segment that it covers."""
    lines: int
    """Number of lines it covers, above 1 only if the engine cannot tell lines apart."""
    text: str
    lufs: float | None
    """Integrated loudness (EBU R 128); None if it is too short or too quiet."""
    true_peak: float
    """True peak, linear; may exceed full scale (1.0)."""
    words: tuple[tuple[int, int], ...] = ()
    """Samples [first, end) of each word of `text`, from the start of the span; empty if unknown."""


@dataclass(frozen=True, slots=True)
class SegmentAudio:
    """Metadata of a finished segment, without its samples."""

    sample_rate_hz: int
    samples: int
    spans: tuple[Span, ...]
