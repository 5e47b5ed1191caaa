"""Chapters of the finished file: their first segments and their times."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.script.turns import ScriptChapter
from pipeline.stitching.tags import ChapterTag
from pipeline.stitching.timeline import Timeline, TimelineItem, line_times

_LEAD_S = 0.03
"""A chapter begins this much before its first word."""
OPENING = "Beginning"
"""Title of the words before the first chapter."""


@dataclass(frozen=True, slots=True)
class ChapterTime:
    """A chapter's place in the file."""

    title: str
    turn: int
    """Index of its first turn."""
    segment: int
    """Index of the joined segment in which it begins, from 0."""
    start_s: float
    end_s: float


def chapter_times(
    timeline: Timeline, chapters: Sequence[ScriptChapter], room_ms: int = 0
) -> tuple[ChapterTime, ...]:
    """Find the times of chapters, which cover the file without gaps; empty if there are none.

    Words before the first chapter are one of their own. A chapter none of whose turns is in the timeline is
    left out.

    Args:
        room_ms: part of the pause before a chapter that belongs to it, where each is a file of its own.
    """
    if not chapters or not timeline.items:
        return ()
    marks = list(chapters)
    if marks[0].turn > timeline.items[0].lines[0].turn:
        marks.insert(0, ScriptChapter(OPENING, timeline.items[0].lines[0].turn))
    starts: list[tuple[ScriptChapter, TimelineItem, int]] = []
    items = iter(timeline.items)
    item = next(items, None)
    for position, mark in enumerate(marks):
        end = marks[position + 1].turn if position + 1 < len(marks) else None
        while item is not None and item.lines[-1].turn < mark.turn:
            item = next(items, None)
        if item is None:
            break
        line = next(line for line in item.lines if line.turn >= mark.turn)
        if end is None or line.turn < end:
            starts.append((mark, item, _start(timeline, item, line.turn, room_ms) if starts else 0))
    ends = [start for _, _, start in starts[1:]] + [timeline.samples]
    rate = timeline.sample_rate_hz
    return tuple(
        ChapterTime(mark.title, mark.turn, item.segment, round(start / rate, 3), round(end / rate, 3))
        for (mark, item, start), end in zip(starts, ends, strict=True)
    )


def _start(timeline: Timeline, item: TimelineItem, turn: int, room_ms: int) -> int:
    """Sample at which a turn of an item begins, just before its first word if that is known."""
    times = line_times(item)
    number = next(index for index, time in enumerate(times) if time.line.turn >= turn)
    start = times[number].start
    if number == 0 and room_ms:
        return start - round(room_ms * timeline.sample_rate_hz / 1000)
    if number == 0 and item.words:
        lead = round(_LEAD_S * timeline.sample_rate_hz)
        return max(start, item.words[0].start - lead)
    return start


def tags_of(times: Sequence[ChapterTime]) -> tuple[ChapterTag, ...]:
    """Marks of chapters for a file's tags."""
    return tuple(ChapterTag(time.title, time.start_s, time.end_s) for time in times)
