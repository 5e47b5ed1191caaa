"""Tests with a small part of `bench.fuzz`."""

import pytest

from bench import fuzz
from tests.tools import slow


@pytest.mark.parametrize("inputs", [30, slow(100)])
@pytest.mark.parametrize("target", fuzz.TARGETS)
def test_odd_input_raises_only_our_errors(target: str, inputs: int) -> None:
    assert fuzz.run(target, inputs, fuzz.Memory()) >= inputs / 2
