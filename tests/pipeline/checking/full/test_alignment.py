"""Tests of alignment and verdict on recorded transcripts: no model is needed."""

from collections.abc import Sequence

import pytest

from pipeline.checking.full import runs
from pipeline.checking.full.alignment import Alignment, align, script_tokens
from pipeline.checking.full.recognizer import HeardWord
from pipeline.checking.full.thresholds import THRESHOLDS
from pipeline.checking.full.word_times import word_times

LINES = (
    "Hello, and welcome to Planet in Peril. I'm your host, Alice.",
    "In 2015, the ten-year average rose by 1.5 degrees, or 12%.",
    "That's a great point. Nobody would have guessed the colour of it!",
    "We're no longer on a gentle, predictable upward slope, are we?",
)
HEARD = (
    "Hello, and welcome to Planet in parole. I'm your host Alice. In twenty fifteen, the 10-year average "
    "rose by 1.5 degrees or 12 percent. That's a great point. Nobody would have guessed the color of it. "
    "We no longer on a gentle, predictable upward slope, are we?"
)

THIRD = "That's a great point. Nobody would have guessed the color of it."


def recorded(text: str, word_s: float = 0.4) -> list[HeardWord]:
    """Recognised words, one every `word_s`."""
    return [HeardWord(word, i * word_s, (i + 0.8) * word_s, 0.9) for i, word in enumerate(text.split())]


def aligned(heard: str, lines: Sequence[str] = LINES) -> Alignment:
    return align(script_tokens(lines, "en"), recorded(heard), "en")


def found(heard: str, lines: Sequence[str] = LINES) -> list[tuple[str, int | None]]:
    return [
        (each.kind, each.line)
        for each in runs.findings(aligned(heard, lines), THRESHOLDS, "en")
        if each.fails
    ]


def test_spellings_numbers_and_names_are_no_deviation() -> None:
    alignment = aligned(HEARD)
    assert found(HEARD) == []
    assert alignment.errors == 2, "parole for Peril, we for we're"


def test_blocks_cover_the_script_and_what_was_heard() -> None:
    alignment = aligned("Well " + HEARD.replace("average", "cabbage soup") + " Goodbye.")
    assert [(b.first, b.heard_first) for b in alignment.blocks[1:]] == [
        (b.last, b.heard_last) for b in alignment.blocks[:-1]
    ]
    last = alignment.blocks[-1]
    assert (last.last, last.heard_last) == (len(alignment.script), len(alignment.heard))


@pytest.mark.parametrize(
    ("heard", "expected"),
    [
        (HEARD.replace("Nobody would have guessed the color of it. ", ""), ("run", 2)),
        (
            HEARD.replace("That's a great point. Nobody would have guessed the color of it.", ""),
            ("missing_line", 2),
        ),
        (HEARD.replace("In twenty fifteen", "I'm your host Alice. In twenty fifteen"), ("repeated_line", 0)),
        (
            HEARD.replace(
                "We no longer on a gentle, predictable upward slope",
                "Some purple fish banana under seven wet hats jumping",
            ),
            ("run", 3),
        ),
        (HEARD + " And then the man was very much of the other thing you know", ("run", 3)),
    ],
)
def test_faults_are_found_in_their_lines(heard: str, expected: tuple[str, int]) -> None:
    assert expected in found(heard)


def test_a_long_swallowed_sentence_is_found() -> None:
    heard = HEARD.replace("average rose by 1.5 degrees or 12 percent.", "")
    assert found(heard) == [("run", 1)]


def test_swapped_lines_are_found() -> None:
    first, rest = HEARD.split(" In twenty")
    moved = "In twenty" + rest.replace("are we?", "are we? " + first)
    assert ("swapped_lines") in {kind for kind, _ in found(moved)}


def test_nothing_heard_is_everything_missing() -> None:
    assert found("") == [("missing_line", line) for line in range(len(LINES))]
    assert aligned("").errors > 30


def test_a_few_words_heard_otherwise_are_no_fault() -> None:
    """Recognisers know few names, so short lines may be heard as others."""
    lines = (*LINES, "Take the red one.")
    assert found(HEARD + " Jack said yellow one.", lines) == []
    assert found(HEARD.replace("gentle, predictable upward", "banana under seven")) == []


def test_a_line_of_which_half_is_spoken_otherwise_is_found_by_its_error_rate() -> None:
    line = "The river rose quickly before noon and nobody knew if the northern bridge would hold until dusk."
    heard = (
        "The river rose banana fish seven and nobody knew purple hats jumping bridge would hold orange lamps."
    )
    assert found(f"{HEARD} {heard}", (*LINES, line)) == [("words", 4)]


def test_words_have_their_recognised_times() -> None:
    words = word_times(aligned(HEARD), LINES, 60.0)
    assert [(word.line, word.word) for word in words] == [
        (line, word) for line, text in enumerate(LINES) for word in range(len(text.split()))
    ]
    assert (words[0].start_s, words[0].end_s, words[0].confidence) == (0.0, 0.32, 0.9)
    year = next(word for word in words if (word.line, word.word) == (1, 1))
    assert (year.start_s, year.end_s) == (4.8, 5.52), "twenty and fifteen"
    starts = [word.start_s for word in words]
    assert starts == sorted(starts)


def test_words_that_are_not_heard_have_no_confidence() -> None:
    words = word_times(aligned(HEARD.replace(" average", "")), LINES, 60.0)
    silent = [(word.line, word.word) for word in words if word.confidence is None]
    assert silent == [(1, 4)]
