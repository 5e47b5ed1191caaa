"""Tests of the quick check for words that are respelt: it finds all that the exact patterns find."""

import re
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.engines.hibari import respelling

PATTERNS = (respelling._LONG_WORD, respelling._STRETCHED, *(one for one, _ in respelling._INTERJECTIONS))


@pytest.mark.hypothesis
@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.pattern)
def test_no_word_that_is_respelt_is_left_out(pattern: re.Pattern[str]) -> None:
    @settings(deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
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


@pytest.mark.parametrize("text", ["a" * 20_000 + "1", "½" * 20_000 + "1", "T" + "s" * 20_000 + "_"])
def test_long_runs_of_a_letter_take_little_time(text: str) -> None:
    began = time.thread_time()
    respelling.is_needed(text)
    respelling.respelt(text, [])
    assert time.thread_time() - began < 2
