import pytest

from pipeline.errors import OptionError
from pipeline.script.parser import parse, read


@pytest.mark.parametrize(
    ("text", "chapters", "turns"),
    [
        ("# One\n\nIt was late.\n\n## Part\n\nA lamp.\n\n# Two\n\nMorning.", [("One", 0), ("Two", 4)], 6),
        ("Chapter 1\n\nIt was late.\n\nChapter 2\n\nMorning came.", [("Chapter 1", 0), ("Chapter 2", 2)], 4),
        ("One\n===\n\nIt was late.\n\nSection\n-------\n\nMorning.", [("One", 0)], 4),
        ("Ann: Hi.\nBob: Yes.\n# Two\nAnn: Late.\n\n## No\n\nBob: Home.", [("Two", 2)], 4),
        ("# One\nAnn: Hi.\n# Empty\n# Two\nAnn: Late.\n# End", [("One", 0), ("Two", 1)], 2),
        ("Ann: Hi.\nBob: Yes.", [], 2),
    ],
)
def test_headings_of_the_first_level_begin_chapters(
    text: str, chapters: list[tuple[str, int]], turns: int
) -> None:
    script = parse(text)
    assert [(chapter.title, chapter.turn) for chapter in script.chapters] == chapters
    assert len(script.turns) == turns


LABELLED = "# One\nAnn: Hi.\nBob: Yes.\n\n## Later\n\nAnn: Late.\n\n# Two\nBob: Home."
PROSE = "# One\n\nIt was late.\n\n## Later\n\nA lamp.\n\n# Two\n\nMorning."


@pytest.mark.parametrize(
    ("text", "headings", "spoken"),
    [
        (LABELLED, None, ["Ann Hi.", "Bob Yes.", "Ann Late.", "Bob Home."]),
        (LABELLED, "silent", ["Ann Hi.", "Bob Yes.", "Ann Late.", "Bob Home."]),
        (
            LABELLED,
            "spoken",
            [
                *("Narrator One", "Ann Hi.", "Bob Yes.", "Narrator Later", "Ann Late.", "Narrator Two"),
                "Bob Home.",
            ],
        ),
        (PROSE, "silent", ["Narrator It was late.", "Narrator A lamp.", "Narrator Morning."]),
        (
            "NARRATOR: Dusk.\n# Two\nNARRATOR: Dawn.\nBob: Hi.",
            "spoken",
            ["NARRATOR Dusk.", "NARRATOR Two", "NARRATOR Dawn.", "Bob Hi."],
        ),
    ],
)
def test_headings_are_read_by_the_narrator_or_left_out(
    text: str, headings: str | None, spoken: list[str]
) -> None:
    script = read(text, headings=headings)
    assert [f"{turn.speaker} {turn.text}" for turn in script.turns] == spoken
    left_out = [omission.text for omission in script.omissions if omission.kind == "heading"]
    said = {turn.text for turn in script.turns}
    assert set(left_out) == ({"One", "Later", "Two"} - said if "One" in text else set())
    assert script.problems == ()


def test_silent_headings_leave_their_silence_and_their_chapter() -> None:
    spoken, silent = read(PROSE), read(PROSE, headings="silent")
    assert [turn.pause_ms for turn in spoken.turns] == [0, 700, 700, 700, 700, 700]
    assert [turn.pause_ms for turn in silent.turns] == [0, 700, 700]
    assert [(chapter.title, chapter.turn) for chapter in silent.chapters] == [("One", 0), ("Two", 2)]


def test_a_speaker_before_a_spoken_heading_goes_on_after_it() -> None:
    script = read("Ann: One.\nBob: Two.\n# Part\nThree.\nAnn: Four.", headings="spoken")
    assert [turn.speaker for turn in script.turns] == ["Ann", "Bob", "Narrator", "Bob", "Ann"]


def test_unknown_ways_to_treat_headings_are_refused() -> None:
    with pytest.raises(OptionError, match="there are spoken, silent"):
        read("Hi.", headings="loud")
