"""Books through the command line and real workers; the files are read back by ffprobe."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.books import samples
from tests.books.probe import probe
from tests.cli.conftest import Run

Book = Callable[[int], Path]


def test_an_epub_becomes_an_m4b_with_chapters_and_cover(run: Run, book: Book, tmp_path: Path) -> None:
    out = tmp_path / "book.m4b"
    done = run("render", book(3), "-o", out, "--json")
    assert done.returncode == 0, done.stderr
    manifest = json.loads(done.stdout)
    assert manifest["segments"] == 3  # a chapter begins a segment
    assert manifest["script"]["form"] == "epub"
    assert manifest["script"]["omitted"]["footnote"] == {"count": 1, "words": 4}

    words = json.loads(out.with_suffix(".words.json").read_text())
    chapters = json.loads(out.with_suffix(".chapters.json").read_text())
    first_words = [
        next(word["start_s"] for word in words if word["turn"] == chapter["turn"]) for chapter in chapters
    ]
    assert [chapter["segment"] for chapter in chapters] == [0, 1, 2]

    found = probe(out)
    assert [chapter["tags"]["title"] for chapter in found["chapters"]] == list(samples.CHAPTERS)
    assert float(found["format"]["duration"]) == pytest.approx(manifest["duration_s"], abs=0.05)
    tags = found["format"]["tags"]
    assert (tags["title"], tags["artist"], tags["album"]) == (samples.TITLE, samples.AUTHOR, samples.TITLE)
    assert (tags["grouping"], tags["genre"]) == (f"{samples.SERIES} #2", "Audiobook")
    pictures = [stream for stream in found["streams"] if stream["disposition"]["attached_pic"]]
    assert [stream["codec_name"] for stream in pictures] == ["png"]
    starts = [float(chapter["start_time"]) for chapter in found["chapters"]]
    assert starts == pytest.approx([0.0, *first_words[1:]], abs=0.05)  # the first covers the file's start


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


def test_silent_headings_are_in_no_file_but_begin_its_chapters(run: Run, book: Book, tmp_path: Path) -> None:
    out = tmp_path / "quiet.flac"
    options = ("--headings", "silent", "--chapters", "3-4")
    manifest = json.loads(run("render", book(3), "-o", out, *options, "--json").stdout)
    assert manifest["script"]["omitted"]["heading"] == {"count": 2, "words": 8}
    words = [word["word"] for word in json.loads(out.with_suffix(".words.json").read_text())]
    assert "Chapter" not in words
    chapters = json.loads(out.with_suffix(".chapters.json").read_text())
    assert [chapter["title"] for chapter in chapters] == list(samples.CHAPTERS[:2])


def test_headings_of_scripts_are_spoken_by_an_option_or_by_the_setting(ask: Run, tmp_path: Path) -> None:
    script = tmp_path / "play.md"
    script.write_text("# Dusk\nAnn: Good evening.\nBob: Hello.\n# Dawn\nAnn: Good morning.\nBob: Hello.\n")

    def speakers(*arguments: str, **settings: str) -> dict[str, int]:
        checked = ask("check", script, "--json", *arguments, **settings)
        return {each["name"]: each["words"] for each in json.loads(checked.stdout)["speakers"]}

    without = {"Ann": 4, "Bob": 2}
    assert speakers() == without
    assert speakers("--headings", "spoken") == {"Narrator": 2, **without}
    assert speakers(VOXCHORD_HEADINGS="spoken") == {"Narrator": 2, **without}
    assert speakers("--headings", "silent", VOXCHORD_HEADINGS="spoken") == without
    assert "VOXCHORD_HEADINGS" in ask("check", script, VOXCHORD_HEADINGS="loud").stderr
