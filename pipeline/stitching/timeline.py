"""Timeline of the finished file: positions of spans, pauses and gaps.

It is computed from plan and spans alone, before any sample is read, so the file's length is known at once.
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from pipeline.planning.records import PlannedLine, PlannedSegment, SegmentAudio, Span

_SEGMENTS_PER_RUN = 4
"""Mean length of runs within chapters; a power of two."""


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
    head_ms: int = 0
    """Silence before the first word."""
    tail_ms: int = 0
    """Silence after the last word."""
    chapter_ms: int = 0
    """Shortest silence before a chapter."""


TIMED_GAP_MS = 40
"""Least silence between a span and a timed turn after it."""


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """Time of one spoken word."""

    start: int
    """First sample in the file."""
    end: int
    """Sample after its last."""
    confidence: float | None
    """0 to 1; None if the time is estimated from the length of the text."""


WordTimes = Mapping[tuple[int, int], tuple[float, float, float | None]]
"""Start, end (s, from the start of the segment's audio) and confidence by line of the segment and word."""


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
    words: tuple[SpokenWord, ...] = ()
    """The words of its lines in order, split at white space; empty if their times are unknown."""


@dataclass(frozen=True, slots=True)
class Run:
    """Whole segments that are encoded by themselves, from a pause to a pause."""

    start: int
    """First sample in the file."""
    end: int
    """Sample after its last."""
    segments: range
    """Indices among the joined segments."""
    items: tuple[TimelineItem, ...]


@dataclass(frozen=True, slots=True)
class Timeline:
    sample_rate_hz: int
    samples: int
    """Length of the whole file."""
    items: tuple[TimelineItem, ...]
    """Items in file order, without overlap."""
    cuts: tuple[int, ...] = ()
    """Indices of the items, without the first one, that begin a run."""
    frame: int = 0
    """Length of the codec's frame, in which runs are cut; 0 if there is one run."""

    def runs(self) -> list[Run]:
        """The runs, in order, which cover the file; each begins a frame before its first item."""
        firsts = (0, *self.cuts) if self.items else ()
        starts = (0, *(self.items[cut].start - self.frame for cut in self.cuts))
        runs = []
        for start, end, first, last in zip(
            starts, (*starts[1:], self.samples), firsts, (*firsts[1:], len(self.items)), strict=False
        ):
            items = self.items[first:last]
            runs.append(Run(start, end, range(items[0].segment, items[-1].segment + 1), items))
        return runs


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
    heard: Mapping[int, WordTimes] | None = None,
    frame: int = 0,
    run_pause_frames: int = 2,
    chapter_turns: Collection[int] = (),
    starts_ms: Mapping[int, int] = MappingProxyType({}),
) -> Timeline:
    """Lay out the segments in sequence.

    Args:
        segments: in script order; a segment without audio becomes a gap of its expected length.
        words_per_s: expected rate, for gaps in a job without any audio.
        heard: word times of segments whose engine does not know them, by position in `segments`.
        frame: length of the codec's frame in samples, if runs are encoded by themselves: the first item of a
            run is put at a multiple of it, at most one frame later; 0 for none.
        run_pause_frames: shortest pause, in frames, in which runs are cut.
        chapter_turns: first turns of chapters, which begin a run.
        starts_ms: times at which the first words of turns are to begin, by the turn's index. A turn that
            would be late follows the one before it.
    """
    pace = _pace(segments) or words_per_s
    items: list[TimelineItem] = []
    cuts: list[int] = []
    position = 0
    for index, (planned, audio) in enumerate(segments):
        words_of = _SegmentWords((heard or {}).get(index, {}), sample_rate_hz)
        for lines, span in _parts(planned, audio):
            last = items[-1] if items else None
            new = last is not None and last.segment != index
            another = last is not None and last.lines[-1].turn != lines[0].turn
            longer_ms = pauses.chapter_ms if another and _begins_chapter(lines[0], chapter_turns) else 0
            pause = round(max(_pause_ms(last, lines, pauses), longer_ms) * sample_rate_hz / 1000)
            start_ms = starts_ms.get(lines[0].turn) if another or last is None else None
            if start_ms is None:
                position += pause
            else:
                position = _timed(position, start_ms, lines[0], span, sample_rate_hz, first=last is None)
            if new and pause >= run_pause_frames * frame > 0 and _begins_run(planned, chapter_turns):
                cuts.append(len(items))
                position = -(-position // frame) * frame
            samples = span.samples if span else round(planned.words / pace * sample_rate_hz)
            times = words_of.take(span, lines, position) if span else ()
            items.append(TimelineItem(index, lines, span, position, samples, times))
            position += samples
    position += round(pauses.tail_ms * sample_rate_hz / 1000) if items else 0
    return Timeline(sample_rate_hz, position, tuple(items), tuple(cuts), frame)


def _timed(
    position: int, start_ms: int, line: PlannedLine, span: Span | None, sample_rate_hz: int, *, first: bool
) -> int:
    """Position of a span whose first word is to begin at a time, or of one that has to follow later."""
    gap_ms = 0 if first else max(TIMED_GAP_MS, line.pause_ms)
    wanted = round(start_ms * sample_rate_hz / 1000) - onset(span)
    return max(position + round(gap_ms * sample_rate_hz / 1000), wanted)


def onset(span: Span | None) -> int:
    """Samples before the first word of a span; 0 if unknown."""
    return span.words[0][0] if span is not None and span.words else 0


def _begins_chapter(first: PlannedLine, chapter_turns: Collection[int]) -> bool:
    return first.turn in chapter_turns and not first.continues


def _begins_run(planned: PlannedSegment, chapter_turns: Collection[int]) -> bool:
    """True for the first segment of a chapter, and for one in `_SEGMENTS_PER_RUN` others by its content.

    So an edit moves the cuts beside it at most.
    """
    chosen = hashlib.sha256(planned.key.encode()).digest()[0] % _SEGMENTS_PER_RUN == 0
    return chosen or _begins_chapter(planned.lines[0], chapter_turns)


class _SegmentWords:
    """Words of a segment's spans, taken in order."""

    def __init__(self, heard: WordTimes, sample_rate_hz: int) -> None:
        self.heard, self.rate = heard, sample_rate_hz
        self.taken: dict[int, int] = {}

    def take(self, span: Span, lines: Sequence[PlannedLine], position: int) -> tuple[SpokenWord, ...]:
        """Words of the next span, which begins at a sample of the file; empty if one is unknown."""
        if span.words:
            return tuple(SpokenWord(position + start, position + end, 1.0) for start, end in span.words)
        found = []
        for line, count in self._counts(span, lines):
            first = self.taken.get(line, 0)
            self.taken[line] = first + count
            for word in range(first, first + count):
                if (line, word) not in self.heard:
                    return ()
                start_s, end_s, confidence = self.heard[line, word]
                edges = (round(at_s * self.rate) - span.start for at_s in (start_s, end_s))
                start, end = (position + min(max(edge, 0), span.samples) for edge in edges)
                found.append(SpokenWord(start, end, confidence))
        return tuple(found)

    def _counts(self, span: Span, lines: Sequence[PlannedLine]) -> list[tuple[int, int]]:
        if span.lines == 1:
            return [(span.line, len(span.text.split()))]
        return [(span.line + i, len(line.text.split())) for i, line in enumerate(lines)]


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
        return max(after.pause_ms, pauses.head_ms)
    last = before.lines[-1]
    if last is after:
        return pauses.sentence_ms
    if after.continues:
        return pauses.sentence_ms + after.pause_ms
    if len(before.lines) > 1 or len(lines) > 1:
        return pauses.segment_ms + after.pause_ms
    return (pauses.turn_ms if last.speaker == after.speaker else pauses.speaker_ms) + after.pause_ms


def line_times(item: TimelineItem) -> list[LineTime]:
    """Times of each line of an item: by its words, or else divided by characters."""
    if len(item.lines) == 1:
        return [LineTime(item.lines[0], item.start, item.start + item.samples)]
    counts = [len(line.text.split()) for line in item.lines]
    if sum(counts) == len(item.words) and all(counts):
        return _times_of_words(item, counts)
    weights = [max(1, len(line.text)) for line in item.lines]
    total, passed = sum(weights), 0
    times = []
    for line, weight in zip(item.lines, weights, strict=True):
        start = item.start + item.samples * passed // total
        passed += weight
        times.append(LineTime(line, start, item.start + item.samples * passed // total))
    return times


def _times_of_words(item: TimelineItem, counts: Sequence[int]) -> list[LineTime]:
    times, first = [], 0
    for line, count in zip(item.lines, counts, strict=True):
        words = item.words[first : first + count]
        times.append(LineTime(line, words[0].start, words[-1].end))
        first += count
    return times
