"""Books through the command line and real workers; the files are read back by ffprobe."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import pytest

from tests.books import samples
from tests.cli.conftest import Run

Book = Callable[[int], Path]


def probe(path: Path) -> dict[str, Any]:
    """Chapters, streams and tags by ffprobe; by PyAV where Debian's package is not installed."""
    program = shutil.which("ffprobe")
    if program is None:
        with av.open(str(path)) as container:
            chapters = [
                {
                    "start_time": float(each["start"] * each["time_base"]),
                    "end_time": float(each["end"] * each["time_base"]),
                    "tags": each["metadata"],
                }
                for each in container.chapters()
            ]
            pictures = [
                {"codec_name": "png", "disposition": {"attached_pic": 1}} for _ in container.streams.video
            ]
            tags, duration = dict(container.metadata), container.duration / av.time_base
            return {"chapters": chapters, "streams": pictures, "format": {"tags": tags, "duration": duration}}
    shown = ["-show_chapters", "-show_format", "-show_streams"]
    done = subprocess.run(
        [program, "-v", "error", *shown, "-of", "json", path], capture_output=True, text=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_an_epub_becomes_an_m4b_with_chapters_and_cover(run: Run, book: Book, tmp_path: Path) -> None:
    out = tmp_path / "book.m4b"
    done = run("render", book(3), "-o", out, "--json")
    assert done.returncode == 0, done.stderr
    manifest = json.loads(done.stdout)
    assert manifest["segments"] == 3  # a chapter begins a segment
    assert manifest["script"]["form"] == "epub"
    assert manifest["script"]["omitted"]["footnote"] == {"count": 1, "words": 4}

    found = probe(out)
    assert [chapter["tags"]["title"] for chapter in found["chapters"]] == list(samples.CHAPTERS)
    assert float(found["format"]["duration"]) == pytest.approx(manifest["duration_s"], abs=0.05)
    tags = found["format"]["tags"]
    assert (tags["title"], tags["artist"], tags["album"]) == (samples.TITLE, samples.AUTHOR, samples.TITLE)
    assert (tags["grouping"], tags["genre"]) == (f"{samples.SERIES} #2", "Audiobook")
    pictures = [stream for stream in found["streams"] if stream["disposition"]["attached_pic"]]
    assert [stream["codec_name"] for stream in pictures] == ["png"]

    words = json.loads(out.with_suffix(".words.json").read_text())
    chapters = json.loads(out.with_suffix(".chapters.json").read_text())
    first_words = [
        next(word["start_s"] for word in words if word["turn"] == chapter["turn"]) for chapter in chapters
    ]
    starts = [float(chapter["start_time"]) for chapter in found["chapters"]]
    assert starts == pytest.approx([0.0, *first_words[1:]], abs=0.05)  # the first covers the file's start
    assert [chapter["segment"] for chapter in chapters] == [0, 1, 2]


def test_chapters_are_listed(ask: Run, book: Book) -> None:
    shown = ask("chapters", book(2))
    assert shown.returncode == 0, shown.stderr
    assert samples.TITLE in shown.stdout
    assert "no (front matter)" in shown.stdout
    listed = json.loads(ask("chapters", book(2), "--chapters", "3", "--json").stdout)
    assert [chapter["read"] for chapter in listed["chapters"]] == [False, False, True, False, False, False]
    assert listed["chapters"][2] == {
        **{"number": 3, "title": samples.CHAPTERS[0], "words": 35, "minutes": 0.2, "read": True},
        "matter": "",
    }
    assert listed["left_out"]["footnote"] == 1


def test_check_knows_books(ask: Run, book: Book) -> None:
    checked = json.loads(ask("check", book(3), "--chapters", "3-4", "--json").stdout)
    assert checked["form"] == "epub"
    assert checked["words"] == 63
    assert checked["omitted"]["chapter that is not chosen"]["count"] == 1
