"""Properties of reading: nothing is lost, nothing is invented. The same in large is `bench.fuzz`."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from bench.fuzz import line_texts, take_any_form, take_any_text, take_dialect
from bench.harness.dialects import DIALECTS


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(DIALECTS)), st.integers(0, 2**32))
def test_random_turns_in_any_dialect_come_back(name: str, seed: int) -> None:
    take_dialect((name, random.Random(seed)))


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=200))
def test_spoken_and_left_out_letters_are_all_letters(text: str) -> None:
    take_any_text(text)


@settings(max_examples=500, deadline=None)
@given(line_texts)
def test_what_is_neither_spoken_nor_left_out_is_a_name(text: str) -> None:
    take_any_form(text)
