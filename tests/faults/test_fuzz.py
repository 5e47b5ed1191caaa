"""Tests with a small part of `bench.fuzz`."""

import pytest

from bench import fuzz


@pytest.mark.parametrize("target", fuzz.TARGETS)
def test_odd_input_raises_only_our_errors(target: str) -> None:
    assert fuzz.run(target, 100, fuzz.Memory()) >= 50
