"""Where everything lies in the finished file: spans, the pauses between them, and gaps.

Made from the plan and the spans alone, before a sample is read, so the length of the file is known at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.planning.records import PlannedLine, PlannedSegment, SegmentAudio, Span


@dataclass(frozen=True, slots=True)
class Pauses:
    """Silence put between what is joined. Speech fades by itself: the ear hears some 250 ms more than this.

    A pause that the script asks for (`PlannedLine.pause_ms`) comes on top.
    """

    sentence_ms: int = 120
    """Between two sentences of a turn."""
    turn_ms: int = 250
    """Before another turn of the same speaker."""
    speaker_ms: int = 350
    """Before another speaker's turn."""
    segment_ms: int = 300
    """Between segments whose engine can't tell where a line ends, and so makes its own pauses within them."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A span of a segment, or a gap where a whole segment is missing, at its place in the file."""

    segment: int
    """Position among the segments joined, from 0."""
    lines: tuple[PlannedLine, ...]
    """The lines heard in it (or missing)."""
    span: Span | None
    """None in a gap."""
    start: int
    """First sample in the file."""
    samples: int


@dataclass(frozen=True, slots=True)
class Timeline:
    sample_rate_hz: int
    samples: int
    """Length of the whole file."""
    pieces: tuple[Piece, ...]
    """In the order of the file; they don't overlap."""


@dataclass(frozen=True, slots=True)
class LineTime:
    """When one planned line is heard."""

    line: PlannedLine
    start: int
    end: int


def lay(
    segments: Sequence[tuple[PlannedSegment, SegmentAudio | None]],
    *,
    pauses: Pauses,
    sample_rate_hz: int,
    words_per_s: float,
) -> Timeline:
    """Put the segments one after the other.

    Args:
        segments: in the order of the script; a segment without audio becomes a gap of its expected length.
        words_per_s: the pace that is expected of a gap where no segment is there to tell.
    """
    pace = _pace(segments) or words_per_s
    pieces: list[Piece] = []
    position = 0
    for index, (planned, audio) in enumerate(segments):
        for lines, span in _parts(planned, audio):
            last = pieces[-1] if pieces else None
            position += round(_pause_ms(last, lines, pauses) * sample_rate_hz / 1000)
            samples = span.samples if span else round(planned.words / pace * sample_rate_hz)
            pieces.append(Piece(index, lines, span, position, samples))
            position += samples
    return Timeline(sample_rate_hz, position, tuple(pieces))


def _parts(
    planned: PlannedSegment, audio: SegmentAudio | None
) -> list[tuple[tuple[PlannedLine, ...], Span | None]]:
    heard = [span for span in audio.spans if span.samples > 0] if audio else []
    if not heard:
        return [(planned.lines, None)]
    return [(planned.lines[span.line : span.line + span.lines], span) for span in heard]


def _pace(segments: Sequence[tuple[PlannedSegment, SegmentAudio | None]]) -> float | None:
    """Words per second in the segments that are there."""
    there = [(planned.words, audio.samples / audio.sample_rate_hz) for planned, audio in segments if audio]
    seconds = sum(length_s for _, length_s in there)
    return sum(words for words, _ in there) / seconds if seconds else None


def _pause_ms(before: Piece | None, lines: tuple[PlannedLine, ...], pauses: Pauses) -> int:
    """Silence between a piece, if there is one, and the lines that come next."""
    after = lines[0]
    if before is None:
        return after.pause_ms
    last = before.lines[-1]
    if last is after:
        return pauses.sentence_ms
    if after.continues:
        return pauses.sentence_ms + after.pause_ms
    if len(before.lines) > 1 or len(lines) > 1:
        return pauses.segment_ms + after.pause_ms
    return (pauses.turn_ms if last.speaker == after.speaker else pauses.speaker_ms) + after.pause_ms


def line_times(piece: Piece) -> list[LineTime]:
    """When each line of a piece is heard; by its share of the characters where the engine can't tell."""
    weights = [max(1, len(line.text)) for line in piece.lines]
    total, passed = sum(weights), 0
    times = []
    for line, weight in zip(piece.lines, weights, strict=True):
        start = piece.start + piece.samples * passed // total
        passed += weight
        times.append(LineTime(line, start, piece.start + piece.samples * passed // total))
    return times
