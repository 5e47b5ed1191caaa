"""The commands of docs/books.md, as they are written there."""

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.markdown import ROOT, Page

COMMANDS = [
    line.partition("#")[0].removeprefix("python voxchord.py ").strip()
    for line in Page(ROOT / "docs" / "books.md").commands
    if line.startswith("python voxchord.py")
]


@pytest.mark.books
@pytest.mark.parametrize("command", COMMANDS)
def test_the_commands_of_the_page_run(
    command: str, run: Run, book: Callable[[int], Path], tmp_path: Path
) -> None:
    book(3).rename(tmp_path / "book.epub")
    files = ("book.", "part.")
    words = [f"{tmp_path}/{word}" if word.startswith(files) else word for word in shlex.split(command)]
    done = run(*words)
    assert done.returncode == 0, done.stderr
    for word in words:
        assert not word.startswith(str(tmp_path)) or Path(word).stat().st_size > 1000


def test_the_page_has_commands() -> None:
    assert {command.split()[0] for command in COMMANDS} == {"chapters", "check", "render"}
