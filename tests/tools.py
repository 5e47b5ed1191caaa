"""Programs that tests take from Debian (`tests/debian.txt`), and the mark of tests that need them."""

import os
import shutil
from pathlib import Path

import pytest

_LIST = Path(__file__).parent / "debian.txt"

thorough = pytest.mark.skipif(
    "CONSOLE_TEST" not in os.environ, reason="takes its time: make console-test runs it"
)


def packages() -> dict[str, str]:
    """The package that brings a program, by the program's name."""
    lines = (line.partition("#")[0].split() for line in _LIST.read_text().splitlines())
    return {program: package for package, *programs in filter(None, lines) for program in programs}


def tool(program: str) -> str:
    """Where a program is. Without it a test is skipped; `make console-test` fails, with the package."""
    package = packages()[program]
    found = shutil.which(program)
    if found is None:
        assert "CONSOLE_TEST" not in os.environ, f"no {program} here: apt-get install {package}"
        pytest.skip(f"no {program} here (Debian's {package})")
    return found
