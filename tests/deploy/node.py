"""Node programs, installed by npm from their lock files."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.tools import tool

_LIMIT_S = 300


def installed(source: Path, folder: Path) -> Path:
    """Copy a program's folder with its dependencies, outside the repository."""
    shutil.copytree(source, folder, dirs_exist_ok=True)
    command = [tool("npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_LIMIT_S, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program there, with only the given variables of ours in its environment."""
    return subprocess.run(
        [tool("node"), *arguments],
        cwd=folder,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        timeout=_LIMIT_S,
        check=False,
    )


def walked(
    folder: Path, program: str, pictures: Path, environment: Mapping[str, str], *arguments: str
) -> dict[str, Any]:
    """Run a program that walks through pages in Chromium; returns its findings.

    Args:
        pictures: folder of its screenshots.
    """
    pictures.mkdir(parents=True, exist_ok=True)
    # chromium keeps files below its home
    given = {"HOME": str(folder), "CHROMIUM": tool("chromium"), "PICTURES": str(pictures)}
    done = run(folder, program, *arguments, **given, **environment)
    assert done.returncode == 0, done.stderr
    seen: dict[str, Any] = json.loads(done.stdout)
    return seen
