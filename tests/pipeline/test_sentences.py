import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sentences import split


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


@given(st.text(alphabet=st.sampled_from("aB1 .!?…\"“”'()—Dr,。\n"), max_size=80))
def test_the_sentences_joined_by_spaces_are_the_text(text: str) -> None:
    sentences = split(text)
    assert " ".join(sentences) == " ".join(text.split())
    assert all(sentences)
