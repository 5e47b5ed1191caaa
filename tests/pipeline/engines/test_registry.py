from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from pipeline.engines import registry
from pipeline.errors import OptionError

THREADS = 4
_together = Barrier(THREADS)


class Slow:
    """An engine that isn't made until as many threads are at it."""

    def __init__(self) -> None:
        _together.wait(10)


@pytest.fixture
def slow() -> Iterator[str]:
    registry.ENGINES["slow"] = f"{__name__}:Slow"
    yield "slow"
    del registry.ENGINES["slow"]


def test_threads_share_one_engine(slow: str) -> None:
    with ThreadPoolExecutor(THREADS) as pool:
        engines = list(pool.map(registry.load, [slow] * THREADS))
    assert len(set(map(id, engines))) == 1
    assert registry.load(slow) is engines[0]


def test_engines_with_built_in_models_refuse_others() -> None:
    with pytest.raises(OptionError, match="built-in"):
        registry.load("hibari", model="other")
    with pytest.raises(OptionError, match="available: hibari"):
        registry.load("habiri")


def test_engines_that_are_not_installed_have_no_presets() -> None:
    known = registry.presets()
    registry.ENGINES["elsewhere"] = "nowhere.at_all:Engine"
    try:
        assert registry.presets() == known > {"wren", "heron"}
    finally:
        del registry.ENGINES["elsewhere"]
