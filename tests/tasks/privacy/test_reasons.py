"""Tests of reasons without words of the script."""

from pipeline.errors import OptionError
from tasks.privacy.reasons import without_script

WORDS = "The treaty was signed in the cellar of the bakery."


def test_words_of_the_script_are_hidden() -> None:
    found = without_script(OptionError("form", f"{WORDS!r} is unknown"), WORDS, ())
    assert str(found) == "option 'form': '…' is unknown"


def test_words_that_are_cut_off_are_hidden() -> None:
    found = without_script(OptionError("form", f"{WORDS[:38]!r} is unknown"), WORDS, ())
    assert "cellar" not in str(found)
