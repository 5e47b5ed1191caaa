"""Fixtures: the command line as a process, and books as files."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.books import samples
from tests.cli.conftest import ask, run, served

__all__ = ["ask", "run", "served"]


@pytest.fixture
def book(tmp_path: Path) -> Callable[[int], Path]:
    """Writes the sample book as EPUB 2 or 3."""

    def book(version: int) -> Path:
        path = tmp_path / f"book{version}.epub"
        path.write_bytes(samples.epub(version))
        return path

    return book
