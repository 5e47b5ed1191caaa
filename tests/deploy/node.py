"""Programs in Node, as npm sets them up from their locks."""

import os
import shutil
import subprocess
from pathlib import Path

from tests.tools import tool

_LIMIT_S = 180


def installed(source: Path, folder: Path) -> Path:
    """A copy of the folder of a program, with what it depends on, away from the repository."""
    shutil.copytree(source, folder, dirs_exist_ok=True)
    command = [tool("npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_LIMIT_S, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program there, with nothing of ours in its environment but what is given."""
    return subprocess.run(
        [tool("node"), *arguments],
        cwd=folder,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        timeout=_LIMIT_S,
        check=False,
    )
