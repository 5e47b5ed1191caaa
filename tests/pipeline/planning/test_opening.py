"""Tests of the opening of a long text; those of its segments are in `tests.web.test_opening`."""

import pytest

from pipeline.planning.opening import LONG, opening


@pytest.mark.parametrize("text", ["Short. " * 20, "no end of a sentence " * LONG, "", "\n\n" * LONG])
def test_some_texts_have_no_opening(text: str) -> None:
    assert opening(text, 10) is None
