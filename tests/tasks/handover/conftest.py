"""Fixtures: finished books, a watched folder, and a server of Audiobookshelf's routes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.books import audiobookshelf_server
from tests.books.audiobookshelf_server import AudiobookshelfServer
from tests.tasks.handover.finished_books import FinishedBook, finished_book


@pytest.fixture(scope="package")
def book(tmp_path_factory: pytest.TempPathFactory) -> FinishedBook:
    return finished_book(tmp_path_factory.mktemp("m4b"), "m4b")


@pytest.fixture(scope="package")
def archive(tmp_path_factory: pytest.TempPathFactory) -> FinishedBook:
    return finished_book(tmp_path_factory.mktemp("zip"), "opus.zip")


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A folder that a player of the same group watches."""
    folder = tmp_path / "library"
    folder.mkdir()
    folder.chmod(0o2770)
    return folder


@pytest.fixture
def server(tmp_path: Path) -> Iterator[AudiobookshelfServer]:
    with audiobookshelf_server.running(tmp_path / "books") as found:
        yield found
