"""Tiny checkpoints and what transformers makes of them, once per session."""

from pathlib import Path

import pytest
import torch

from bench.harness import tiny
from tests.pipeline.engines.vibevoice import reference


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """The models are so small that two threads only wait for each other."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its head is its embedding table, as in the 1.5B."""
    return tiny.save(tmp_path_factory.mktemp("tied"))


@pytest.fixture(scope="session")
def untied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its head is its own, as in the 7B."""
    return tiny.save(tmp_path_factory.mktemp("untied"), seed=5, tied=False)


@pytest.fixture(scope="session")
def half(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """In bfloat16, as the published ones are."""
    return tiny.save(tmp_path_factory.mktemp("half"), dtype=torch.bfloat16)


@pytest.fixture(scope="session")
def talkative(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every segment goes on to its most frames."""
    return tiny.save(tmp_path_factory.mktemp("talkative"), talkative=True)


@pytest.fixture(scope="session")
def model(checkpoint: Path) -> reference.Reference:
    return reference.load(checkpoint)
