import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.script.sentences import halves, split


@pytest.mark.parametrize(
    "sentences",
    [
        ["Dr. Smith met J. K. Rowling at 3 p.m. on Tuesday.", "It cost $3.50.", "Wow!"],
        ["It opened on Jan. 5.", "No. 5 was late.", "No.", "That is wrong."],
        ["The U.S. Senate voted.", "I live in the U.S.", "It is big."],
        ["We took plan B.", "He stayed.", "So did I.", "Nobody else did."],
        ['He said, "Stop. Right now!" and left.', '"Why?" she asked.', '"Because."'],
        ["“That’s it.”", "“Is it?”", "‘Fine.’", "(I think so.)", "OK."],
        ["Well… I don't know.", "Wait... what?", "Really?!", "¿Qué tal?", "Bien."],
        ["Version 2.0.1 is at example.com now, e.g. for Acme Inc., isn't it?", "Yes."],
        ["no capitals, no end"],
    ],
)
def test_a_text_is_cut_where_its_sentences_end(sentences: list[str]) -> None:
    assert split(" ".join(sentences)) == sentences


def test_an_empty_text_has_no_sentences() -> None:
    assert split("  ") == []


@pytest.mark.parametrize(
    "sentences",
    [
        ["今天天气很好。", "我们走吧！", "好吗？！", "好"],
        ["「行こう。」", "「はい！」", "彼は笑った。"],
        ["他走了。", '"你好！"', "她说。", "“再见？”", "“好。”", "走。"],
        ['他说："走吧。现在就走。"，然后走了。', "她没有。"],
        ["Hello。", "World is e.g. here。", "iPhone。"],
    ],
)
def test_a_full_width_mark_ends_a_sentence_without_white_space(sentences: list[str]) -> None:
    assert split("".join(sentences)) == sentences
    assert split(" ".join(sentences)) == sentences


@given(st.text(alphabet=st.sampled_from("aB1 .!?…\"“”'()—Dr,\n"), max_size=80))
def test_the_sentences_joined_by_spaces_are_the_text(text: str) -> None:
    sentences = split(text)
    assert " ".join(sentences) == " ".join(text.split())
    assert all(sentences)


@given(st.text(alphabet=st.sampled_from('aB .!?"“”「」()（）好，。！？\n'), max_size=80))
def test_nothing_but_white_space_is_left_out_between_sentences(text: str) -> None:
    sentences = split(text)
    rest = " ".join(text.split())
    for sentence in sentences:
        assert rest.startswith(sentence)
        rest = rest.removeprefix(sentence).removeprefix(" ")
    assert not rest
    assert all(sentences)


@pytest.mark.parametrize(
    ("sentence", "cut"),
    [
        ("and so, it went; on and on", ("and so, it went;", "on and on")),
        ("一二三，四五六七，八九", ("一二三，", "四五六七，八九")),
        ("一二三四五六七。", ("一二三四", "五六七。")),
        ("one two three four", ("one two", "three four")),
        ("unbroken", None),
    ],
)
def test_a_sentence_is_halved_after_a_clause_or_between_words(
    sentence: str, cut: tuple[str, str] | None
) -> None:
    assert halves(sentence) == cut
