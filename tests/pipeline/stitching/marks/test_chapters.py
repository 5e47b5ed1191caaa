from pipeline.planning.records import PlannedLine, Span
from pipeline.script.turns import ScriptChapter
from pipeline.stitching.marks.chapters import OPENING, ChapterTime, chapter_times
from pipeline.stitching.timeline import SpokenWord, Timeline, TimelineItem

RATE_HZ = 1000
"""Sample rate at which a sample is a millisecond."""


def item(segment: int, *turns: int, words: tuple[SpokenWord, ...] = ()) -> TimelineItem:
    """A second of equally long turns, half a second behind the one before it."""
    lines = tuple(PlannedLine(turn, turn + 1, "A", "words") for turn in turns)
    span = Span(0, 1000, 0, len(lines), "words", -20.0, 0.5)
    return TimelineItem(segment, lines, span, 1500 * segment, 1000, words)


def timeline(*items: TimelineItem) -> Timeline:
    return Timeline(RATE_HZ, items[-1].start + items[-1].samples if items else 0, items)


def test_chapters_cover_the_file_without_gaps() -> None:
    chapters = (ScriptChapter("One", 0), ScriptChapter("Two", 2))
    assert chapter_times(timeline(item(0, 0, 1), item(1, 2)), chapters) == (
        ChapterTime("One", 0, 0, 0.0, 1.5),
        ChapterTime("Two", 2, 1, 1.5, 2.5),
    )


def test_words_before_the_first_chapter_are_a_chapter() -> None:
    found = chapter_times(timeline(item(0, 0), item(1, 1)), (ScriptChapter("One", 1),))
    assert [(each.title, each.start_s, each.end_s) for each in found] == [
        (OPENING, 0.0, 1.5),
        ("One", 1.5, 2.5),
    ]


def test_a_chapter_begins_just_before_its_first_word() -> None:
    words = (SpokenWord(1700, 1900, 1.0),)
    found = chapter_times(
        timeline(item(0, 0), item(1, 1, words=words)), (ScriptChapter("One", 0), ScriptChapter("Two", 1))
    )
    assert found[1].start_s == 1.67


def test_chapters_may_begin_within_a_segment() -> None:
    found = chapter_times(timeline(item(0, 0, 1)), (ScriptChapter("One", 0), ScriptChapter("Two", 1)))
    assert [(each.segment, each.start_s, each.end_s) for each in found] == [(0, 0.0, 0.5), (0, 0.5, 1.0)]


def test_chapters_that_are_not_spoken_are_left_out() -> None:
    chapters = (ScriptChapter("One", 0), ScriptChapter("Two", 1), ScriptChapter("Three", 2))
    assert [each.title for each in chapter_times(timeline(item(0, 0), item(1, 2)), chapters)] == [
        "One",
        "Three",
    ]
    assert [each.title for each in chapter_times(timeline(item(0, 0)), chapters)] == ["One"]


def test_files_without_chapters_have_none() -> None:
    assert chapter_times(timeline(item(0, 0)), ()) == ()
    assert chapter_times(timeline(), (ScriptChapter("One", 0),)) == ()
