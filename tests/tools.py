"""Programs from Debian that tests need (`tests/debian.txt`), and the mark of these tests."""

import os
import shutil
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

_LIST = Path(__file__).parent / "debian.txt"
_NEEDING = frozenset({"BOOKS_TEST", "CONSOLE_TEST", "HTTP_TEST"})
"""Variables by which make or CI forbids to skip a test for want of a program."""

thorough = pytest.mark.skipif(
    "CONSOLE_TEST" not in os.environ, reason="takes its time: make console-test and page-test run such tests"
)


def slow(*values: object) -> ParameterSet:
    """Parameters of a test that `make test` leaves out."""
    return pytest.param(*values, marks=pytest.mark.slow)


def packages() -> dict[str, str]:
    """Debian packages by program."""
    lines = (line.partition("#")[0].split() for line in _LIST.read_text().splitlines())
    return {program: package for package, *programs in filter(None, lines) for program in programs}


def tool(program: str) -> str:
    """Path of a program; without it tests are skipped, or fail where a variable of `_NEEDING` is set."""
    package = packages()[program]
    found = shutil.which(program)
    if found is None:
        assert not _NEEDING.intersection(os.environ), f"no {program} here: apt-get install {package}"
        pytest.skip(f"no {program} here (Debian's {package})")
    return found
