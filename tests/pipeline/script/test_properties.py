"""Properties of reading: nothing is lost, nothing is invented. The same in large is `bench.fuzz`."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.fuzz import line_texts, take_any_form, take_any_text, take_dialect
from bench.harness.dialects import DIALECTS
from tests.tools import slow

every_size = pytest.mark.parametrize("examples", [100, slow(500)])


def check(examples: int, strategy: st.SearchStrategy[Any], take: Callable[[Any], None]) -> None:
    """Check a property with that many examples."""
    settings(max_examples=examples, deadline=None)(given(strategy)(take))()


def take_turns(given_: tuple[str, int]) -> None:
    name, seed = given_
    take_dialect((name, random.Random(seed)))


@every_size
def test_random_turns_in_any_dialect_come_back(examples: int) -> None:
    check(examples, st.tuples(st.sampled_from(sorted(DIALECTS)), st.integers(0, 2**32)), take_turns)


@every_size
def test_spoken_and_left_out_letters_are_all_letters(examples: int) -> None:
    check(examples, st.text(max_size=200), take_any_text)


@every_size
def test_what_is_neither_spoken_nor_left_out_is_a_name(examples: int) -> None:
    check(examples, line_texts, take_any_form)


@pytest.mark.parametrize("take", [take_any_text, take_any_form])
@pytest.mark.parametrize(
    "text",
    [
        "[/VOICE]",
        "[rate:0.9] a",
        "[spell]abc",
        "[say:x]",
        "</voice> a",
        "<p>a</p>",
        "[rate:0.9]a[/rate]",
        "<s/>a",
    ],
)
def test_letters_of_commands_are_not_words(take: Callable[[str], None], text: str) -> None:
    take(text)
