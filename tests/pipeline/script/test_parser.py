import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import ScriptError
from pipeline.script.parser import parse, read
from pipeline.script.turns import NARRATOR
from tests.tools import slow


def spoken(source: str | bytes) -> list[tuple[str, str]]:
    return [(turn.speaker, turn.text) for turn in parse(source).turns]


def test_names_and_numbers_are_speakers() -> None:
    assert spoken("Alice: Hi.\nDr. Watson: Ho.") == [("Alice", "Hi."), ("Dr. Watson", "Ho.")]
    assert spoken("Speaker 0: Hi.\nspeaker 01: Ho.") == [("Speaker 0", "Hi."), ("Speaker 1", "Ho.")]


def test_lines_go_on_until_a_blank_line_or_a_speaker() -> None:
    turns = parse("Alice: One\ntwo.\n\nThree.\nBob: Four.\nAlice: Five.").turns[:3]
    assert [(t.speaker, t.text, t.line) for t in turns] == [
        ("Alice", "One two.", 1),
        ("Alice", "Three.", 4),
        ("Bob", "Four.", 5),
    ]


def test_prose_is_one_narrator_and_keeps_words_before_a_colon() -> None:
    assert spoken("Once there was a fox.\nRemember: it was red.\n\nThe end.") == [
        (NARRATOR, "Once there was a fox. Remember: it was red."),
        (NARRATOR, "The end."),
    ]


def test_a_backslash_keeps_words_from_being_a_speaker() -> None:
    assert spoken("Alice: Hi.\nAlice: Well.\n\\Note: spoken.") == [
        ("Alice", "Hi."),
        ("Alice", "Well. Note: spoken."),
    ]


ALICE_BOB_ALICE = [("Alice", "One."), ("Bob", "Two."), ("Alice", "Three.")]


@pytest.mark.parametrize(
    "label",
    [
        *("\u200bBob: ", "\ufeffBob: ", "\u200fBob: ", "\u2066Bob\u2069: ", "B\u00adob\u200d: "),
        *("Bob：", "Bob ： ", "\u00a0Bob:\u00a0", "\tBob:\t"),
    ],
)
def test_what_cannot_be_seen_does_not_hide_a_speaker(label: str) -> None:
    assert spoken(f"Alice: One.\n{label}Two.\nAlice: Three.") == ALICE_BOB_ALICE


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\u2028", "\u2029", "\x85"])
def test_lines_end_where_unicode_says(end: str) -> None:
    script = end.join(["Alice: One.", "Bob: Two.", "Alice: Three."])
    assert spoken(script) == ALICE_BOB_ALICE
    with pytest.raises(ScriptError, match="cannot be spoken") as found:
        parse(f"{script}{end}\u2603")
    assert found.value.line == 4


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("Jose\u0301", "José"),
        ("Mary\u00a0Ann", "Mary Ann"),
        ("Mary  Ann", "Mary Ann"),
        ("O’Brien", "O'Brien"),
        ("Jean‑Luc", "Jean-Luc"),
        ("小明", "小明"),
        ("哈利·波特", "哈利·波特"),
        ("ハリー・ポッター", "ハリー・ポッター"),
        ("أحمد", "أحمد"),
        ("יוסי כהן", "יוסי כהן"),
        ("नीता", "नीता"),
        ("ნინო", "ნინო"),
    ],
)
@pytest.mark.parametrize("colon", [": ", "："])
def test_names_are_written_in_many_ways(label: str, name: str, colon: str) -> None:
    script = f"{label}{colon}One.\nBob{colon}Two.\n{name}: Three."
    assert spoken(script) == [(name, "One."), ("Bob", "Two."), (name, "Three.")]


def test_a_numbered_speaker_may_have_a_full_width_colon() -> None:
    assert spoken("Speaker 1：你好。\nSpeaker\u00a02：好。") == [
        ("Speaker 1", "你好。"),
        ("Speaker 2", "好。"),
    ]


def test_prose_without_capitals_keeps_what_stands_before_a_quotation() -> None:
    prose = "从前有一个人。\n他说：“走吧。”\n他说：“好。”\n\n他说：“走。”"
    assert [speaker for speaker, _ in spoken(prose)] == [NARRATOR, NARRATOR]
    assert spoken('旁白：下雨。\n小明说："走吧。"\n旁白："雨"停了。') == [
        ("旁白", '下雨。 小明说："走吧。"'),
        ("旁白", '"雨"停了。'),
    ]


@pytest.mark.parametrize(
    "line",
    [
        *("Bob:Two.", "bob: Two.", "Bob (laughing): Two.", "Bob [laughing]: Two.", "Bob（笑）：Two."),
        *("Bob(laughing):Two.", "\u200bBob:Two.", "**Bob:** Two.", "- Bob: Two.", "Bob, laughing: Two."),
    ],
)
def test_a_known_speaker_is_recognised_however_the_line_is_written_unless_escaped(line: str) -> None:
    script = f"Alice: One.\n{{}}{line}\nBob: Three.\nAlice: Four."
    assert spoken(script.format(""))[:2] == [("Alice", "One."), ("Bob", "Two.")]
    assert [name for name, _ in spoken(script.format("\\"))] == ["Alice", "Bob", "Alice"]


def test_a_numbered_speaker_may_have_a_direction() -> None:
    assert spoken("Speaker 1 (calm): One.\nSpeaker 2（笑）：Two.") == [
        ("Speaker 1", "One."),
        ("Speaker 2", "Two."),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "he said: no.",
        "He said: no.",
        "Bob came at 12:30.",
        "At 12:30 he came.",
        "Bob://x is no address.",
        "https://example.com/Bob: that is one.",
        "Luke 3:16 says so.",
        "Bob, Alice: come!",
        "今天我们要一起认真讨论的问题是：什么？",
    ],
)
def test_words_with_a_colon_that_are_no_speaker_are_spoken(line: str) -> None:
    assert spoken(f"Alice: One.\n{line}\nBob: Two.\nAlice: Three.")[0] == ("Alice", f"One. {line}")


def test_pauses_cut_turns_and_carry_over_to_the_next_speaker() -> None:
    turns = parse("A: One.[pause:800ms] Two.[pause: 1.5s]\n[pause:1s]\nB: Three.\nA: Four.").turns
    assert [(t.text, t.pause_ms, t.continues) for t in turns] == [
        ("One.", 0, False),
        ("Two.", 800, True),
        ("Three.", 2500, False),
        ("Four.", 0, False),
    ]


def test_typographic_characters_bom_and_crlf_are_made_plain() -> None:
    data = "\ufeffAlice: “It’s\u00a0fine” – he said…\r\nBob: Re\u00adally?\r\n".encode()
    assert spoken(data) == [("Alice", '"It\'s fine" — he said...'), ("Bob", "Really?")]


def test_degrees_are_spoken_and_marks_of_trade_are_nothing() -> None:
    assert spoken("Alice: It is 20°C, or 68℉, at Acme™.") == [("Alice", "It is 20°C, or 68°F, at Acme.")]


def test_the_json_form_says_the_same() -> None:
    items = [{"speaker": 1, "text": "Hi [pause:1s] there."}, {"speaker": "Bob", "text": "Ho."}]
    turns = parse(json.dumps(items)).turns
    assert [(t.speaker, t.text, t.pause_ms) for t in turns] == [
        ("Speaker 1", "Hi", 0),
        ("Speaker 1", "there.", 1000),
        ("Bob", "Ho.", 0),
    ]
    assert parse(items).turns == turns


@pytest.mark.parametrize(
    ("source", "line", "words"),
    [
        ("", 1, "empty"),
        (" \n\n", 1, "empty"),
        ("[]", 1, "empty"),
        ("Alice: Hi.\nBob:\nAlice: Ho.", 2, "nothing to say"),
        ("Alice: Hi.\nBob:", 2, "nothing to say"),
        ("Alice: ---\nAlice: x", 1, "no word"),
        ("Alice: Hi.\nBob: Wait[pause:2]", 2, "not a pause"),
        ("Alice: Hi.\nBob: [pause:99s]x", 2, "outside"),
        (f"Alice: Hi.\nBob: [pause:{'9' * 400}s]x", 2, "outside"),
        ("Alice: Hi.\nBob: [pause:1s", 2, "not a pause"),
        ("Alice: Hi.\nAlice: Ho.[pause:1s]", 2, "nothing after it"),
        ("Alice: Hi.\nBob: a \x07 b", 2, "cannot be spoken"),
        ("Alice: Hi.\nBob: great 😀", 2, "grinning face"),
        ("A title\n\nAlice: Hi.\nBob: Ho.\nAlice: Ha.", 1, "begin with a speaker"),
        (b"Alice: Hi.\nBob: \xff", 2, "UTF-8"),
        ('[{"speaker": 1}]', 1, "has no text"),
        ('[{"speaker": 1, "text": 5}]', 1, "not a string"),
        ('[{"speaker": 1, "text": "a"}, 5]', 2, "not an object"),
        ('[{"speaker": 1, "txt": "a"}]', 1, "has a speaker and a text"),
        ('[{"speaker": null, "text": "a"}]', 1, "not a name"),
        ('[{"speaker": "\u200b", "text": "a"}]', 1, "not a name"),
        (r'[{"speaker": "\ud83d", "text": "a"}]', 1, "cannot be spoken"),
        (r'[{"speaker": 1, "text": "a \ud83d"}]', 1, "cannot be spoken"),
        ("Alice: a \ud83d", 1, "cannot be spoken"),
        ('[{"speaker": 1, "text": "a"', 1, "not: "),
        (f'[{{"speaker": {"1" * 5000}, "text": "a"}}]', 1, "too long"),
    ],
)
def test_what_cannot_be_spoken_is_named_by_its_line(source: str | bytes, line: int, words: str) -> None:
    with pytest.raises(ScriptError, match=words) as found:
        parse(source)
    assert found.value.line == line


def test_a_script_over_the_limit_is_refused() -> None:
    with pytest.raises(ScriptError, match="more than the 10 allowed"):
        parse("Alice: more than ten characters", characters_max=10)


@pytest.mark.parametrize("line", ["A" + " " * 50_000 + "b", "A (" + " " * 50_000, "A A A " + "A" * 50_000])
def test_a_long_line_that_is_nearly_a_speaker_is_read_in_no_time(line: str) -> None:
    started_s = time.process_time()
    parse(f"Alice: One.\n{line}")
    assert time.process_time() - started_s < 2


@pytest.mark.parametrize("share", [0.2, slow(1)])
@pytest.mark.parametrize(
    ("before", "repeated", "times", "after"),
    [
        ("Alice: One.\n", "\n", 50_000, "Bob: Two."),
        ("turns:\n", "\n", 50_000, "x"),
        ("```\n", "\n", 50_000, ""),
        ("", "Alice:\nBob:\n", 10_000, ""),
        ("", "[b]Alice:[/b] One.\n", 15_000, ""),
        ("", "It was *late*.\n", 20_000, ""),
        ("Alice: ", "word *and* (so) [x] <b>q</b> ", 20_000, ""),
        ("", "Alice: the beauti-\nful thing.\n", 12_000, ""),
        ("", "Alice: No, [voice:heron]no[/voice].\nBob: So.\n", 4_000, ""),
    ],
    ids=[
        "blank lines",
        "blank lines below a key",
        "open fence",
        "silent speakers",
        "tags",
        "emphasis",
        "one line of marks",
        "hyphens",
        "voices",
    ],
)
def test_reading_time_grows_with_the_length_alone(
    before: str, repeated: str, times: int, after: str, share: float
) -> None:
    source = before + repeated * round(share * times) + after
    started_s = time.process_time()
    read(source)
    assert time.process_time() - started_s < 6 * share


@given(st.lists(st.sampled_from(["fox", "ran", "Why?", "3.5", "“so”", "it's"]), min_size=1, max_size=30))
def test_every_word_of_prose_is_spoken(words: list[str]) -> None:
    text = " ".join(words)
    said = " ".join(turn.text for turn in parse(text).turns)
    assert said == text.replace("“", '"').replace("”", '"')


@given(st.text(max_size=200))
def test_any_text_is_a_script_or_a_script_error(text: str) -> None:
    try:
        script = parse(text)
    except ScriptError:
        return
    assert script.words > 0
