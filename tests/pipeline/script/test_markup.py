"""Commands within lines: what they do to turns, and what is wrong with them."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.script.parser import read
from pipeline.script.turns import Said, Script, Turn


def turns(text: str) -> list[Turn]:
    script = read(text)
    assert script.problems == ()
    return list(script.turns)


def problems(text: str) -> list[tuple[int, str]]:
    return [(found.line, found.reason) for found in read(text).problems]


def shape(script: Script) -> list[tuple[str, str, float, bool]]:
    return [(turn.speaker, turn.text, turn.rate, turn.continues) for turn in script.turns]


def test_a_rate_cuts_the_turn_and_leaves_punctuation_with_its_words() -> None:
    script = read('Mia: Well [rate:0.8]slow words[/rate], "[rate:120%]quick[/rate]" ones.\nRolf: Yes.')
    assert script.problems == ()
    assert shape(script) == [
        ("Mia", "Well", 1.0, False),
        ("Mia", "slow words,", 0.8, True),
        ("Mia", '"quick"', 1.2, True),
        ("Mia", "ones.", 1.0, True),
        ("Rolf", "Yes.", 1.0, False),
    ]


def test_rates_multiply_and_go_over_paragraphs() -> None:
    found = turns("[rate:0.5]One.\n\nTwo [rate:1.5]three[/rate].[/rate]\n\nFour.")
    assert [(turn.text, turn.rate) for turn in found] == [
        ("One.", 0.5),
        ("Two", 0.5),
        ("three.", 0.75),
        ("Four.", 1.0),
    ]


@pytest.mark.parametrize(
    ("written", "rate"),
    [
        ("slow", 0.75),
        ("x-fast", 1.5),
        ("90%", 0.9),
        ("+10%", 1.1),
        ("-25%", 0.75),
        ("1.25", 1.25),
        (".5", 0.5),
    ],
)
def test_rates_are_factors_percentages_or_words(written: str, rate: float) -> None:
    assert [turn.rate for turn in turns(f"[rate:{written}]Hello there.[/rate]")] == [rate]
    assert [turn.rate for turn in turns(f'Hi. <prosody rate="{written}">Hello.</prosody>')] == [1.0, rate]


def test_a_voice_is_a_speaker_of_the_script_or_a_voice_of_that_name() -> None:
    script = read(
        "Mia: He said [voice:rolf]No.[/voice] And [voice:heron]yes[/voice].\nRolf: I did.\nMia: Oh."
    )
    assert script.problems == ()
    assert [(turn.speaker, turn.text) for turn in script.turns] == [
        ("Mia", "He said"),
        ("Rolf", "No."),
        ("Mia", "And"),
        ("heron", "yes."),
        ("Rolf", "I did."),
        ("Mia", "Oh."),
    ]
    assert script.voiced == ("heron",)


def test_words_that_are_said_otherwise_keep_their_place_in_the_text() -> None:
    (turn,) = turns("I met [say:Noola]Nuala[/say]'s [spell]USB[/spell] [say:/stɪk/]stick[/say].")
    assert turn.text == "I met Nuala's USB stick."
    assert turn.said == (Said(6, 11, "say", "Noola"), Said(14, 17, "spell", ""), Said(18, 23, "ipa", "stɪk"))
    assert [turn.text[said.start : said.end] for said in turn.said] == ["Nuala", "USB", "stick"]


def test_words_that_are_said_otherwise_may_go_over_a_line() -> None:
    (turn,) = turns("See [say:Noo Yawk]New\nYork[/say] now.")
    (said,) = turn.said
    assert turn.text[said.start : said.end] == "New York"


def test_ssml_within_lines_means_the_same() -> None:
    brackets = turns(
        "Hi [rate:0.9]there[/rate]. [voice:heron]Say [say:doctor]Dr[/say] [spell]ab[/spell].[/voice]"
    )
    tags = turns(
        'Hi <prosody rate="90%">there</prosody>. <voice name="heron">Say <sub alias="doctor">Dr</sub> '
        '<say-as interpret-as="characters">ab</say-as>.</voice>'
    )
    assert tags == brackets


def test_a_document_of_ssml_is_read_with_its_lines() -> None:
    script = read(
        '<?xml version="1.0"?>\n<speak version="1.1"\n xml:lang="en">\n<p><s>Hello &amp; you</s>\n'
        "<s>Two.</s></p>\n"
        '<p>Three <break time="500ms"/> &lt;b&gt; <say-as interpret-as="ordinal">5</say-as>.</p></speak>\n'
    )
    assert script.problems == ()
    assert script.form == "ssml"
    assert [(turn.text, turn.line, turn.pause_ms, turn.continues) for turn in script.turns] == [
        ("Hello & you", 4, 0, False),
        ("Two.", 5, 0, True),
        ("Three", 6, 0, False),
        ("<b> 5.", 6, 500, True),
    ]
    assert script.turns[-1].said == (Said(4, 5, "say-as", "ordinal"),)


def test_an_escaped_command_is_read() -> None:
    assert [turn.text for turn in turns(r"Write \[rate:0.9\] here.")] == ["Write [rate:0.9] here."]


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("Hi.\n[rate:0.9]There.", 2, "[rate:…] is not closed before the end"),
        ("Mia: [rate:2]Hi.\nRolf: No.\nMia: Oh.[/rate]", 1, "[rate:…] is not closed before the next speaker"),
        ("Hi [/rate] there.", 1, "[/rate] closes, and nothing is open"),
        ("[rate:2]Hi [voice:heron]a[/rate] there[/voice].", 1, "[/rate] closes before [voice:…] is"),
        ("Hi [say:x]there.", 1, "[say:…] is not closed before the end of the turn"),
        ("Hi [say:x]there [pause:1s] you[/say].", 1, "[say:…] is not closed before a pause"),
        ("Hi [say:x][spell]a[/spell][/say].", 1, "[spell] is within another command for words"),
        ("Hi [spell][/spell] there.", 1, "[spell] has no words in it"),
        ("Hi [rate:quick]you[/rate].", 1, "[rate:…] is not a rate; write [rate:0.9]"),
        ("Hi [rate:9]you[/rate].", 1, "[rate:…] is outside 0.25 to 4.0; 1 is the usual rate"),
        ("Hi [say:]you[/say].", 1, "[say] has no value"),
        ("Hi [voice]you[/voice].", 1, "[voice] has no value"),
        (
            'Hi <prosody pitch="high">you</prosody>.',
            1,
            "<prosody> has pitch, which is not obeyed; only rate is",
        ),
        ('Hi <say-as interpret-as="x">you</say-as>.', 1, "<say-as> has interpret-as 'x', which is unknown"),
        (
            'Hi <phoneme alphabet="x-sampa" ph="a">you</phoneme>.',
            1,
            "<phoneme> has an alphabet other than ipa",
        ),
        ('Hi <voice name="heron"/> you.', 1, "<voice> has no words in it"),
        ("Hi [pitch:high] you.", 1, "has a command such as [pitch:…] or [style:…], which is not obeyed"),
    ],
)
def test_what_is_wrong_with_a_command_is_a_problem_at_its_line(text: str, line: int, reason: str) -> None:
    found = problems(text)
    assert [at for at, why in found if why.startswith(reason)] == [line], found


PIECES = [
    *("[rate:0.8]", "[/rate]", "[voice:heron]", "[/voice]", "[say:Noola]", "[/say]", "[spell]", "[/spell]"),
    *("<p>", "<s>", "</s>", '<prosody rate="slow">', "</prosody>", '<say-as interpret-as="digits">'),
    *(
        "</say-as>",
        "\n",
        "[pause:1s]",
        "\n\n",
        "Alice: ",
        "hello",
        "Nuala",
        " ",
        ".",
        ",",
        '"',
        "'s",
        "(sighs)",
    ),
    *("[1]", "\\[", "1/2", "²"),
]


@given(st.lists(st.sampled_from(PIECES), max_size=25).map(" ".join))
def test_given_words_are_parts_of_the_text_in_order(text: str) -> None:
    for turn in read(text).turns:
        edges = [edge for said in turn.said for edge in (said.start, said.end)]
        assert edges == sorted(edges)
        assert all(said.start < said.end <= len(turn.text) for said in turn.said)
        assert any(map(str.isalnum, turn.text))
        assert "\ue0fd" not in turn.text


def test_reading_time_of_commands_grows_with_the_length_alone() -> None:
    for unit in ("[rate:", "[ ", "<p ", "<!---->", "<speak ", "[spell]a[/spell] "):
        for text in (unit * (40_000 // len(unit)), "<speak>" + unit * (40_000 // len(unit))):
            begun_s = time.process_time()
            read(text)
            assert time.process_time() - begun_s < 5, unit


def test_a_name_with_a_comma_apart_is_no_error() -> None:
    assert read("Alice , Bob: Hello.\nCarl: Hi.").turns
