"""Parts of a long file, for players that take files of some hours."""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise

from pipeline.stitching.tags import ChapterTag
from pipeline.stitching.timeline import Timeline


def parts(
    timeline: Timeline, chapters: Sequence[ChapterTag], hours: float, title: str
) -> tuple[ChapterTag, ...]:
    """Split a file into parts of at most so many hours, as few as possible.

    A part ends at the last chapter that fits, or else at the last turn. A single turn is never split.

    Args:
        chapters: of the whole file.
        title: of the file.
    """
    longest = hours * 3600 * timeline.sample_rate_hz
    starts = [round(chapter.start_s * timeline.sample_rate_hz) for chapter in chapters]
    ends = [0]
    turns = _turn_starts(timeline)
    while timeline.samples - ends[-1] > longest:
        cut = _last(starts, ends[-1], longest) or _last(turns, ends[-1], longest) or _next(turns, ends[-1])
        if cut is None:
            break
        ends.append(cut)
    ends.append(timeline.samples)
    rate = timeline.sample_rate_hz
    named = f"{title}, part" if title else "Part"
    return tuple(
        ChapterTag(f"{named} {number}", start / rate, end / rate)
        for number, (start, end) in enumerate(pairwise(ends), 1)
    )


def chapters_within(part: ChapterTag, chapters: Sequence[ChapterTag]) -> tuple[ChapterTag, ...]:
    """Chapters that sound in a part, by its own time."""
    found = []
    for chapter in chapters:
        start_s, end_s = max(chapter.start_s, part.start_s), min(chapter.end_s, part.end_s)
        if end_s > start_s:
            found.append(ChapterTag(chapter.title, start_s - part.start_s, end_s - part.start_s))
    return tuple(found)


def _turn_starts(timeline: Timeline) -> list[int]:
    items = timeline.items
    return [item.start for before, item in pairwise(items) if before.lines[-1].turn != item.lines[0].turn]


def _last(cuts: Sequence[int], start: int, longest: float) -> int | None:
    """The last cut within a length; None if there is none."""
    place = bisect_right(cuts, start + longest)
    return cuts[place - 1] if place and cuts[place - 1] > start else None


def _next(cuts: Sequence[int], start: int) -> int | None:
    place = bisect_right(cuts, start)
    return cuts[place] if place < len(cuts) else None
