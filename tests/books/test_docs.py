"""The commands of docs/books.md, as they are written there."""

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.markdown import ROOT, Page

COMMANDS = [
    line.partition("#")[0].strip()
    for line in Page(ROOT / "docs" / "books.md").commands
    if "python voxchord.py" in line
]


@pytest.mark.books
@pytest.mark.parametrize("command", COMMANDS)
def test_the_commands_of_the_page_run(
    command: str, run: Run, book: Callable[[int], Path], tmp_path: Path
) -> None:
    book(3).rename(tmp_path / "book.epub")
    files = ("book.", "part.")
    settings, _, rest = command.rpartition("python voxchord.py ")
    words = [f"{tmp_path}/{word}" if word.startswith(files) else word for word in shlex.split(rest)]
    if "JOB" in words:
        made = run("render", tmp_path / "book.epub", "-o", tmp_path / "a.mp3", "--chapters", "3", "--json")
        words[words.index("JOB")] = json.loads(made.stdout)["job"]
    folders = {name: tmp_path / Path(value).name for name, value in re.findall(r"(\w+)=(\S+)", settings)}
    for folder in folders.values():
        folder.mkdir()
    done = run(*words, **{name: str(folder) for name, folder in folders.items()})
    assert done.returncode == 0, done.stderr
    for written in (*folders.values(), *(Path(word) for word in words if word.startswith(str(tmp_path)))):
        sizes = [path.stat().st_size for path in (written, *written.rglob("*")) if path.is_file()]
        assert max(sizes) > 1000


def test_the_page_has_commands() -> None:
    commands = {command.partition("python voxchord.py ")[2].split()[0] for command in COMMANDS}
    assert commands == {"chapters", "check", "feed", "handover", "render"}
