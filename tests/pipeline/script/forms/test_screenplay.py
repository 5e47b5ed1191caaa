from collections import Counter

import pytest

from pipeline.script.events import HEADING_REST_MS
from pipeline.script.parser import read
from pipeline.script.turns import NARRATOR

PLAY = """FADE IN:

INT. LIGHTHOUSE - NIGHT

Mia trims the lamp.

MIA
Who comes up so late?

ROLF (O.S.)
(out of breath)
It is only me.
I lost my way.

MIA (CONT'D)
Sit down.

CUT TO:

EXT. SHORE - DAY

ROLF
What a storm!

FADE OUT.
"""


def test_speech_is_read_and_the_rest_is_counted() -> None:
    script = read(PLAY)
    assert (script.form, script.problems) == ("screenplay", ())
    assert [(turn.speaker, turn.text, turn.line) for turn in script.turns] == [
        ("MIA", "Who comes up so late?", 8),
        ("ROLF", "It is only me. I lost my way.", 12),
        ("MIA", "Sit down.", 16),
        ("ROLF", "What a storm!", 23),
    ]
    assert [turn.pause_ms for turn in script.turns] == [0, 0, 0, HEADING_REST_MS]
    assert Counter(omission.kind for omission in script.omissions) == {
        "scene heading": 5,
        "action": 1,
        "stage direction": 3,
    }


def test_names_that_stand_once_are_speakers_below_a_scene_heading() -> None:
    script = read("EXT. YARD - DAY\n\nHANA\nHello.\n\nOTTO\n(waving)\nHi.")
    assert [(turn.speaker, turn.text) for turn in script.turns] == [("HANA", "Hello."), ("OTTO", "Hi.")]


@pytest.mark.parametrize(
    "text",
    [
        "INTRODUCTION\n\nIt was dark.\n\nTHE STORM\n\nIt rained.",
        "CHAPTER ONE\nIt was dark.\n\nCHAPTER TWO\nIt rained.",
    ],
)
def test_headings_in_capitals_in_prose_are_read(text: str) -> None:
    script = read(text)
    assert (script.speakers, script.problems) == ((NARRATOR,), ())
    assert " ".join(turn.text for turn in script.turns).split() == text.split()


def test_headings_that_could_be_names_are_a_problem() -> None:
    script = read("OSWALD\nIt was dark.\n\nHARBOUR\nIt rained.")
    assert "--form screenplay" in script.problems[0].reason


def test_names_with_a_title_are_one_name() -> None:
    """`DR. WATSON` is no line of a speaker DR, though a script may write `DR WATSON. Good evening.`"""
    script = read(
        "INT. HALL - NIGHT\n\nDR. WATSON\nIt's late.\n\nMR. FOX (O.S.)\nSo it is.\n\nDR. WATSON\nGood night."
    )
    assert (script.form, script.problems) == ("screenplay", ())
    assert [(turn.speaker, turn.text) for turn in script.turns] == [
        ("DR. WATSON", "It's late."),
        ("MR. FOX", "So it is."),
        ("DR. WATSON", "Good night."),
    ]


def test_titles_before_a_period_remain_labels() -> None:
    script = read("DR. WATSON. Good evening.\nMR. FOX. It is late.\nDR. WATSON. So it is.")
    assert [(turn.speaker, turn.text) for turn in script.turns] == [
        ("DR. WATSON", "Good evening."),
        ("MR. FOX", "It is late."),
        ("DR. WATSON", "So it is."),
    ]
