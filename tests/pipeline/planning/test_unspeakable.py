import pytest

from pipeline.engines.hibari import normalizer
from pipeline.engines.protocol import Wording
from pipeline.planning.unspeakable import treated
from pipeline.script.parser import read
from pipeline.script.turns import Turn


def wording(turn: Turn) -> Wording:
    return normalizer.wording(turn.text)


@pytest.mark.parametrize(
    ("text", "skipped", "spelled"),
    [
        ("He said привет to her.", "He said to her.", "He said pe er i ve ie te to her."),
        ("It is 你好 (晚).", "It is.", None),
        ("Our ABC公司, he said.", "Our ABC, he said.", None),
        ("The angle α of αβ.", "The angle α of.", "The angle α of alpha beta."),
        ("naїve", None, "n a yi v e"),
        ("One. ꙮ Two.", "One. Two.", None),
    ],
)
def test_words_with_unspeakable_letters_are_left_out_or_spelled(
    text: str, skipped: str | None, spelled: str | None
) -> None:
    script = read(f"Ann: {text}\nBob: Yes.\nAnn: No.\nBob: Well.")
    left = treated(script, wording, "skip")
    if skipped is None:
        assert [turn.text for turn in left.script.turns] == ["Yes.", "No.", "Well."]
    else:
        assert left.script.turns[0].text == skipped
        assert not left.wordings[0].problems
    named = treated(script, wording, "spell")
    assert named.script == script
    assert not named.wordings[0].problems
    if spelled is not None:
        assert named.wordings[0] == normalizer.wording(spelled)


def test_what_is_left_out_or_spelled_is_counted() -> None:
    script = read("Ann: He said привет to her, 你好.\nBob: Yes ☂︎.\nAnn: No.", symbols="omit")
    left = treated(script, wording, "skip")
    assert [(each.kind, each.line, each.words) for each in left.script.omissions if each.words] == [
        ("unspeakable text", 1, 1),
        ("unspeakable text", 1, 2),
    ]
    assert treated(script, wording, "spell").spelled == ((1, 8),)
    refused = treated(script, wording, "error")
    assert refused.script == script
    assert refused.wordings[0].problems


def test_a_turn_without_speakable_words_leaves_its_pause_and_its_chapter() -> None:
    script = read(
        "# One\nAnn: Hi.\n# Two\nAnn: Привет. [pause:2s] Hello.\n# Three\nBob: Да.\n# Four\nBob: Yes."
    )
    left = treated(script, wording, "skip").script
    assert [(turn.text, turn.pause_ms, turn.continues) for turn in left.turns] == [
        ("Hi.", 0, False),
        ("Hello.", 2000, False),
        ("Yes.", 700, False),
    ]
    assert [(chapter.title, chapter.turn) for chapter in left.chapters] == [
        ("One", 0),
        ("Two", 1),
        ("Four", 2),
    ]


def test_a_cue_without_its_first_words_begins_at_its_time() -> None:
    cues = (
        "Ann: Hello there.",
        "Bob: Привет. [pause:1s] Hello.",
        "Ann: [rate:0.9]Да[/rate] bye.",
        "Bob: Да.",
    )
    script = read(
        "\n".join(
            f"{number}\n00:00:{number}0,000 --> 00:00:{number}5,000\n{cue}\n"
            for number, cue in enumerate(cues, 1)
        ),
        timed=True,
    )
    left = treated(script, wording, "skip").script
    assert [(turn.text, turn.start_ms) for turn in left.turns] == [
        ("Hello there.", 10_000),
        ("Hello.", 20_000),
        ("bye.", 30_000),
    ]
