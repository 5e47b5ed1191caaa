"""Tests of the quick check for words that are respelt: it finds all that the exact patterns find."""

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.engines.hibari import respelling


@pytest.mark.parametrize("pattern", [respelling._LONG_WORD, respelling._STRETCHED, respelling._INTERJECTION])
def test_no_word_that_is_respelt_is_left_out(pattern: re.Pattern[str]) -> None:
    @settings(max_examples=200, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(st.from_regex(pattern, alphabet=st.characters(codec="latin-1")))
    def check(text: str) -> None:
        if pattern.search(text):
            assert respelling.is_needed(text), text

    check()


@pytest.mark.parametrize("text", ["He said nothing, but turned.", "my Mr Try, by us up much", "a-b 'sh-like"])
def test_most_words_are_not_respelt(text: str) -> None:
    assert not respelling.is_needed(text)


@pytest.mark.parametrize(
    "sound", ["Shh", "BRRR", "grrr!", "zz", "tss", "hmmmmm", "mwah", "uhm", "“Psh”", "ſh"]
)
def test_sounds_are_respelt(sound: str) -> None:
    assert respelling.is_needed(f"He said: {sound}.")
