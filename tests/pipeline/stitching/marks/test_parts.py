import pytest

from pipeline.planning.records import PlannedLine
from pipeline.stitching.marks.parts import chapters_within, parts
from pipeline.stitching.tags import ChapterTag
from pipeline.stitching.timeline import Timeline, TimelineItem

HOUR = 3600


def timeline(hours: int, turn_s: int = 600) -> Timeline:
    """Turns of ten minutes at 1 Hz."""
    items = tuple(
        TimelineItem(i, (PlannedLine(i, i + 1, "Ann", "Yes."),), None, i * turn_s, turn_s)
        for i in range(hours * HOUR // turn_s)
    )
    return Timeline(1, hours * HOUR, items)


def chapters(*starts_h: float, hours: float) -> tuple[ChapterTag, ...]:
    ends_h = (*starts_h[1:], hours)
    return tuple(
        ChapterTag(f"Chapter {i}", start_h * HOUR, end_h * HOUR)
        for i, (start_h, end_h) in enumerate(zip(starts_h, ends_h, strict=True), 1)
    )


@pytest.mark.parametrize(
    ("starts_h", "limit_h", "ends_h"),
    [
        ((0, 1, 2, 4, 6, 8), 5, [4, 8, 10]),
        ((0,), 4, [4, 8, 10]),
        ((0, 5), 4, [4, 5, 9, 10]),
        ((), 3, [3, 6, 9, 10]),
        ((0, 5), 5, [5, 10]),
        ((0, 5), 12, [10]),
        ((), 0.1, [i / 6 for i in range(1, 61)]),
    ],
)
def test_parts_end_at_the_last_chapter_or_turn_that_fits(
    starts_h: tuple[float, ...], limit_h: float, ends_h: list[float]
) -> None:
    found = parts(timeline(10), chapters(*starts_h, hours=10) if starts_h else (), limit_h, "The Lamp")
    assert [part.end_s / HOUR for part in found] == pytest.approx(ends_h)
    assert [part.start_s for part in found] == [0, *(part.end_s for part in found[:-1])]
    assert found[0].title == "The Lamp, part 1"


def test_chapters_of_a_part_have_its_own_times() -> None:
    marks = chapters(0, 2, 3, hours=6)
    part = ChapterTag("Part 2", 2.5 * HOUR, 6 * HOUR)
    assert chapters_within(part, marks) == (
        ChapterTag("Chapter 2", 0, 0.5 * HOUR),
        ChapterTag("Chapter 3", 0.5 * HOUR, 3.5 * HOUR),
    )
