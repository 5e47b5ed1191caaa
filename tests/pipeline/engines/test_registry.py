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


def test_threads_that_ask_at_once_get_the_same_engine(slow: str) -> None:
    with ThreadPoolExecutor(THREADS) as pool:
        engines = list(pool.map(registry.load, [slow] * THREADS))
    assert len(set(map(id, engines))) == 1
    assert registry.load(slow) is engines[0]


def test_an_engine_with_its_model_built_in_takes_no_other() -> None:
    with pytest.raises(OptionError, match="built in"):
        registry.load("hibari", model="other")
    with pytest.raises(OptionError, match="there are hibari"):
        registry.load("habiri")


def test_an_engine_that_is_not_installed_here_has_no_voices_of_its_own() -> None:
    known = registry.presets()
    registry.ENGINES["elsewhere"] = "nowhere.at_all:Engine"
    try:
        assert registry.presets() == known > {"wren", "heron"}
    finally:
        del registry.ENGINES["elsewhere"]
