"""Node programs, installed by npm from their lock files."""

import os
import shutil
import subprocess
from pathlib import Path

from tests.tools import tool

_LIMIT_S = 180


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
