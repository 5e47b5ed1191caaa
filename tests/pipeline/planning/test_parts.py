"""Tests of the parts of a segment's text."""

import pytest

from pipeline.engines.protocol import Line, SegmentText
from pipeline.planning.parts import parts

TEXT = SegmentText(
    (
        Line(2, "One is here. Two is here. Three is here. Four is here."),
        Line(0, "Five is here."),
        Line(2, "Six is here. Seven is here."),
        Line(1, "Eight is here."),
    ),
    3,
    7,
)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 100])
def test_parts_have_all_words_in_order(count: int) -> None:
    found = parts(TEXT, count)
    assert len(found) == min(count, 8)
    spoken = [(part.slots[line.slot], line.text) for part in found for line in part.text.lines]
    assert " ".join(text for _, text in spoken) == " ".join(line.text for line in TEXT.lines)
    words = [(slot, word) for slot, text in spoken for word in text.split()]
    assert words == [(line.slot, word) for line in TEXT.lines for word in line.text.split()]


def test_parts_are_alike_in_length_and_have_slots_seeds_and_lines_of_their_own() -> None:
    first, second = parts(TEXT, 2)
    assert [line.text for line in first.text.lines] == [TEXT.lines[0].text]
    assert (first.first_line, first.slots, first.text.speakers) == (0, (2,), 1)
    assert (second.first_line, second.slots, second.text.speakers) == (1, (0, 1, 2), 3)
    assert [line.slot for line in second.text.lines] == [0, 2, 1]
    assert len({TEXT.seed, first.text.seed, second.text.seed}) == 3
    assert parts(TEXT, 2) == [first, second]


def test_a_line_is_divided_at_its_sentences() -> None:
    _, second, *_ = parts(TEXT, 4)
    assert second.first_line == 0
    assert second.text.lines == (Line(0, "Three is here. Four is here."),)


def test_one_sentence_is_one_part() -> None:
    (only,) = parts(SegmentText((Line(0, "Only this sentence is here"),), 1, 3), 4)
    assert only.text.lines == (Line(0, "Only this sentence is here"),)
