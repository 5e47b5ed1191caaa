"""Fixtures: the command line as a process with its own home and state folder."""

import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from bench.harness import forked
from tests.cli.running import Running

ROOT = Path(__file__).parent.parent.parent
Run = Callable[..., subprocess.CompletedProcess[str]]


def environment(tmp_path: Path) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("VOXCHORD_")}
    return {**clean, "VOXCHORD_STATE": str(tmp_path / "state"), "HOME": str(tmp_path), "COLUMNS": "200"}


def command(*arguments: object) -> list[str]:
    return [sys.executable, "voxchord.py", *map(str, arguments)]


@pytest.fixture
def ask(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs a command in a fork, without the time that imports take."""
    folder = tmp_path_factory.mktemp("output")

    def ask(*arguments: object, **options: str) -> subprocess.CompletedProcess[str]:
        return forked.run([*map(str, arguments)], {**environment(tmp_path), **options}, folder)

    return ask


@pytest.fixture
def served(ask: Run, running: Running) -> Run:
    """Runs a command with the state folder of the running service."""
    return partial(ask, VOXCHORD_STATE=str(running.settings.state))


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def run(*arguments: object, **options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command(*arguments),
            cwd=ROOT,
            env={**environment(tmp_path), **options},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run
