"""Tiny checkpoints, and transformers' model of one, once per session."""

from pathlib import Path

import pytest
import torch

from bench.harness import tiny
from tests.pipeline.engines.vibevoice import reference


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Limit torch to one thread: in models this small, two only wait for each other."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Checkpoint whose LM head is the embedding table, as in the 1.5B."""
    return tiny.save(tmp_path_factory.mktemp("tied"))


@pytest.fixture(scope="session")
def untied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Checkpoint with an LM head of its own, as in the 7B."""
    return tiny.save(tmp_path_factory.mktemp("untied"), seed=5, tied=False)


@pytest.fixture(scope="session")
def half(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Checkpoint in bfloat16, like the published ones."""
    return tiny.save(tmp_path_factory.mktemp("half"), dtype=torch.bfloat16)


@pytest.fixture(scope="session")
def talkative(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Checkpoint whose segments go on to their frame limit."""
    return tiny.save(tmp_path_factory.mktemp("talkative"), talkative=True)


@pytest.fixture(scope="session")
def model(checkpoint: Path) -> reference.Reference:
    return reference.load(checkpoint)


@pytest.fixture(scope="session")
def untied_model(untied: Path) -> reference.Reference:
    return reference.load(untied)
