"""SubRip and WebVTT as scripts."""

import pytest

from pipeline.errors import OptionError
from pipeline.script.parser import read
from pipeline.script.turns import NARRATOR


def spoken(text: str) -> list[tuple[str, str]]:
    script = read(text)
    assert script.problems == ()
    return [(turn.speaker, turn.text) for turn in script.turns]


def test_times_and_numbers_are_not_read() -> None:
    text = (
        "1\n00:00:01,000 --> 00:00:03,500\nIt was late.\n\n"
        "2\n00:00:04,000 --> 00:00:06,000\nThe lamp\nwas out.\n"
    )
    assert read(text).form == "srt"
    assert spoken(text) == [(NARRATOR, "It was late."), (NARRATOR, "The lamp was out.")]


def test_a_sentence_over_two_cues_is_one_turn() -> None:
    text = (
        "1\n00:01,000 --> 00:03,500\nThe lamp\n\n2\n00:04,000 --> 00:06,000\nwas out.\n\n"
        "3\n00:20,000 --> 00:21,000\nLater."
    )
    assert spoken(text) == [(NARRATOR, "The lamp was out."), (NARRATOR, "Later.")]


def test_voices_styles_and_notes_of_webvtt() -> None:
    text = (
        "WEBVTT Kind: captions\n\nNOTE by\nnobody\n\nSTYLE\n::cue {color: red}\n\n"
        "intro\n00:01.000 --> 00:03.000 align:start\n"
        "<v.loud Mia>It <i>is</i> &amp; was <00:02.000>late.</v>\n\n"
        "00:04.000 --> 00:06.000\n<v Rolf>Yes.\n<v Mia>No.\n"
    )
    assert read(text).form == "vtt"
    assert spoken(text) == [("Mia", "It is & was late."), ("Rolf", "Yes."), ("Mia", "No.")]


@pytest.mark.parametrize("label", ["MIA: {}", "[Mia] {}", ">> MIA: {}", "Mia: {}"])
def test_names_before_the_words(label: str) -> None:
    cues = [
        f"{n}\n00:0{n},000 --> 00:0{n},900\n{label.format(text)}"
        for n, text in enumerate(("One.", "Two."), 1)
    ]
    assert [text for _, text in spoken("\n\n".join(cues))] == ["One.", "Two."]
    assert {name.title() for name, _ in spoken("\n\n".join(cues))} == {"Mia"}


def test_sounds_and_dashes_are_not_read() -> None:
    text = (
        "1\n00:01,000 --> 00:03,500\n[thunder]\n- Who is there?\n- Me. (LAUGHS)\n\n"
        "2\n00:05,000 --> 00:06,000\n{\\an8}Come in."
    )
    assert " ".join(text for _, text in spoken(text)) == "Who is there? Me. Come in."


TIMED = """1
00:00:01,000 --> 00:00:02,000
NORA: It was late and

2
00:00:02,500 --> 00:00:04,000
the lamp was out.

3
00:00:05,000 --> 00:00:06,000
[music]

4
00:01:00,250 --> 00:01:02,000
FOX: Go.
- Never.

5
00:01:04,000 --> 00:01:05,000
NORA: Yes.

6
00:01:06,000 --> 00:01:07,000
FOX: No.
"""


def test_timed_cues_are_turns_with_their_times() -> None:
    script = read(TIMED, timed=True)
    assert [(turn.speaker, turn.text, turn.start_ms) for turn in script.turns] == [
        ("NORA", "It was late and", 1000),
        ("NORA", "the lamp was out.", 2500),
        ("FOX", "Go.", 60_250),
        ("FOX", "Never.", None),
        ("NORA", "Yes.", 64_000),
        ("FOX", "No.", 66_000),
    ]
    assert {turn.start_ms for turn in read(TIMED).turns} == {None}


def test_other_scripts_cannot_be_timed() -> None:
    with pytest.raises(OptionError, match=r"needs subtitles \(srt or vtt\), and the script is labels"):
        read("Ann: Hi.\nBob: Yes.\nAnn: No.", timed=True)


def test_names_that_stand_once_are_speakers_if_they_have_a_voice_or_else_a_notice() -> None:
    cues = ("Ann: Hello there.", "Ben: Hi.", "It is 12:30 now.", "So we said: go.", "And we went.")
    times = ("1", "2", "3", "4", "5")
    text = "\n\n".join(
        f"{n}\n00:00:0{n},000 --> 00:00:0{n},900\n{cue}" for n, cue in zip(times, cues, strict=True)
    )
    aloud = read(text)
    assert [turn.text for turn in aloud.turns][:2] == ["Ann: Hello there.", "Ben: Hi."]
    assert [(each.line, "are read aloud" in each.reason) for each in aloud.notices] == [(3, True), (7, True)]
    given = read(text, cast=["ann", "Ben"])
    assert [(turn.speaker, turn.text) for turn in given.turns][:2] == [
        ("Ann", "Hello there."),
        ("Ben", "Hi."),
    ]
