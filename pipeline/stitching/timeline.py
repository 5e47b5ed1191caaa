"""Timeline of the finished file: positions of spans, pauses and gaps.

It is computed from plan and spans alone, before any sample is read, so the file's length is known at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.planning.records import PlannedLine, PlannedSegment, SegmentAudio, Span


@dataclass(frozen=True, slots=True)
class Pauses:
    """Silence inserted between items. Speech decays, so pauses sound some 250 ms longer.

    A requested pause (`PlannedLine.pause_ms`) is added to it.
    """

    sentence_ms: int = 120
    """Silence between two sentences of a turn."""
    turn_ms: int = 250
    """Silence before another turn of the same speaker."""
    speaker_ms: int = 350
    """Silence before another speaker's turn."""
    segment_ms: int = 300
    """Silence between segments of an engine that makes its own pauses between lines."""


@dataclass(frozen=True, slots=True)
class TimelineItem:
    """Span of a segment, or gap for a missing segment, with its position in the file."""

    segment: int
    """Index among the joined segments, from 0."""
    lines: tuple[PlannedLine, ...]
    """Lines spoken in it, or missing."""
    span: Span | None
    """Span of the segment; None for a gap."""
    start: int
    """First sample in the file."""
    samples: int


@dataclass(frozen=True, slots=True)
class Timeline:
    sample_rate_hz: int
    samples: int
    """Length of the whole file."""
    items: tuple[TimelineItem, ...]
    """Items in file order, without overlap."""


@dataclass(frozen=True, slots=True)
class LineTime:
    """Start and end of one planned line."""

    line: PlannedLine
    start: int
    end: int


def lay_out(
    segments: Sequence[tuple[PlannedSegment, SegmentAudio | None]],
    *,
    pauses: Pauses,
    sample_rate_hz: int,
    words_per_s: float,
) -> Timeline:
    """Lay out the segments in sequence.

    Args:
        segments: in script order; a segment without audio becomes a gap of its expected length.
        words_per_s: expected rate, for gaps in a job without any audio.
    """
    pace = _pace(segments) or words_per_s
    items: list[TimelineItem] = []
    position = 0
    for index, (planned, audio) in enumerate(segments):
        for lines, span in _parts(planned, audio):
            last = items[-1] if items else None
            position += round(_pause_ms(last, lines, pauses) * sample_rate_hz / 1000)
            samples = span.samples if span else round(planned.words / pace * sample_rate_hz)
            items.append(TimelineItem(index, lines, span, position, samples))
            position += samples
    return Timeline(sample_rate_hz, position, tuple(items))


def _parts(
    planned: PlannedSegment, audio: SegmentAudio | None
) -> list[tuple[tuple[PlannedLine, ...], Span | None]]:
    heard = [span for span in audio.spans if span.samples > 0] if audio else []
    if not heard:
        return [(planned.lines, None)]
    return [(planned.lines[span.line : span.line + span.lines], span) for span in heard]


def _pace(segments: Sequence[tuple[PlannedSegment, SegmentAudio | None]]) -> float | None:
    """Words per second of the existing segments."""
    there = [(planned.words, audio.samples / audio.sample_rate_hz) for planned, audio in segments if audio]
    seconds = sum(length_s for _, length_s in there)
    return sum(words for words, _ in there) / seconds if seconds else None


def _pause_ms(before: TimelineItem | None, lines: tuple[PlannedLine, ...], pauses: Pauses) -> int:
    """Silence between an item, if any, and the next lines."""
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


def line_times(item: TimelineItem) -> list[LineTime]:
    """Times of each line of an item, divided by characters if the engine cannot tell lines apart."""
    weights = [max(1, len(line.text)) for line in item.lines]
    total, passed = sum(weights), 0
    times = []
    for line, weight in zip(item.lines, weights, strict=True):
        start = item.start + item.samples * passed // total
        passed += weight
        times.append(LineTime(line, start, item.start + item.samples * passed // total))
    return times
