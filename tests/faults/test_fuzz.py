"""A small slice of `bench.fuzz`."""

import pytest

from bench import fuzz


@pytest.mark.parametrize("target", fuzz.TARGETS)
def test_odd_input_meets_an_error_of_ours_or_none(target: str) -> None:
    assert fuzz.run(target, 100, fuzz.Memory()) >= 50
