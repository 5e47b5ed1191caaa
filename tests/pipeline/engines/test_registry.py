from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from pipeline.engines.registry import Engines
from pipeline.errors import OptionError

THREADS = 4
_together = Barrier(THREADS)


class Slow:
    """Engine whose constructor waits for several threads."""

    def __init__(self) -> None:
        _together.wait(10)


def test_threads_share_one_engine() -> None:
    engines = Engines({"slow": f"{__name__}:Slow"})
    with ThreadPoolExecutor(THREADS) as pool:
        loaded = list(pool.map(engines.load, ["slow"] * THREADS))
    assert len(set(map(id, loaded))) == 1
    assert engines.load("slow") is loaded[0]


def test_engines_with_built_in_models_refuse_others() -> None:
    with pytest.raises(OptionError, match="built-in"):
        Engines().load("hibari", model="other")
    with pytest.raises(OptionError, match="available: hibari"):
        Engines().load("habiri")


def test_additional_engines_are_known_to_their_registry_alone() -> None:
    assert "slow" in Engines({"slow": f"{__name__}:Slow"}).places
    assert "slow" not in Engines().places


def test_engines_that_are_not_installed_have_no_presets() -> None:
    elsewhere = Engines({"elsewhere": "nowhere.at_all:Engine"})
    assert elsewhere.presets() == Engines().presets() > {"wren", "heron"}
