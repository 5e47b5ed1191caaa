"""Books through the command line and real workers; the files are read back by ffprobe."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.books import samples
from tests.books.probe import probe
from tests.cli.conftest import Run

Book = Callable[[int], Path]


def test_an_epub_becomes_an_m4b_with_chapters_and_cover(served: Run, book: Book, tmp_path: Path) -> None:
    out = tmp_path / "book.m4b"
    done = served("render", book(3), "-o", out, "--json")
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
    assert checked["omitted"]["footnote"] == {"count": 1, "words": 4}
    assert [chapter["read"] for chapter in checked["chapters"]] == [False, False, True, True, False, False]
    assert [chapter["title"] for chapter in checked["chapters"]][2:5] == list(samples.CHAPTERS)
    assert sum(chapter["words"] for chapter in checked["chapters"] if chapter["read"]) == checked["words"]
    assert [speaker["name"] for speaker in checked["speakers"]] == ["Narrator"]
    shown = ask("check", book(3), "--chapters", "3-4")
    assert "no (front matter)" in shown.stdout
    assert "no (not chosen)" in shown.stdout


def test_check_names_all_problems_of_a_book_at_once(ask: Run, tmp_path: Path) -> None:
    page = tmp_path / "book.html"
    page.write_text(
        "<html><h1>One</h1><p>It was late.</p><p>Он молчал.</p>"
        "<h1>Two</h1><p>A lamp ☃ burned.</p><p>你好 she said.</p></html>"
    )
    done = ask("check", page, "--voice", "Narrator=nobody", "--voice", "Fox=wren", "--json")
    assert done.returncode == 3
    found = json.loads(done.stdout)
    assert [problem["line"] for problem in found["problems"]] == [1, 1, 3, 5, 6]
    assert [(chapter["title"], chapter["words"]) for chapter in found["chapters"]] == [("One", 6), ("Two", 8)]


def test_check_lists_the_chapters_of_scripts(ask: Run, tmp_path: Path) -> None:
    script = tmp_path / "play.txt"
    script.write_text("# One\nAnn: Hi.\nBob: Yes, it is.\n# Two\nAnn: Late.\nBob: Home.\n")
    found = json.loads(ask("check", script, "--json").stdout)
    assert [(chapter["number"], chapter["title"], chapter["words"]) for chapter in found["chapters"]] == [
        (1, "One", 4),
        (2, "Two", 2),
    ]


@pytest.mark.books
def test_silent_headings_are_in_no_file_but_begin_its_chapters(
    served: Run, book: Book, tmp_path: Path
) -> None:
    out = tmp_path / "quiet.flac"
    options = ("--headings", "silent", "--chapters", "3-4")
    manifest = json.loads(served("render", book(3), "-o", out, *options, "--json").stdout)
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


@pytest.mark.books
def test_an_archive_is_split_by_hours_at_chapters_and_turns(served: Run, book: Book, tmp_path: Path) -> None:
    out, hours = tmp_path / "book.m4b.zip", 0.0062
    done = served("render", book(3), "-o", out, "--split-hours", str(hours), "--json")
    assert done.returncode == 0, done.stderr
    manifest = json.loads(done.stdout)
    with zipfile.ZipFile(out) as archive:
        archive.extractall(tmp_path / "parts")
        names = [name for name in archive.namelist() if name.endswith(".m4b")]
        playlist = archive.read("playlist.m3u8").decode().splitlines()
    assert names == [f"{i:02d} {samples.TITLE}, part {i}.m4b" for i in range(1, len(names) + 1)]
    assert playlist[2::2] == names
    found = [probe(tmp_path / "parts" / name) for name in names]
    lengths_s = [float(part["format"]["duration"]) for part in found]
    assert len(names) > 1
    assert max(lengths_s) <= hours * 3600 + 0.1
    assert sum(lengths_s) == pytest.approx(manifest["duration_s"], abs=0.1 * len(names))
    assert [part["format"]["tags"]["track"] for part in found] == [
        f"{i}/{len(names)}" for i in range(1, len(names) + 1)
    ]
    assert {part["format"]["tags"]["album"] for part in found} == {samples.TITLE}
    titles = [chapter["tags"]["title"] for part in found for chapter in part["chapters"]]
    assert list(dict.fromkeys(titles)) == list(samples.CHAPTERS)
    for part, length_s in zip(found, lengths_s, strict=True):
        assert float(part["chapters"][0]["start_time"]) == 0.0
        assert float(part["chapters"][-1]["end_time"]) == pytest.approx(length_s, abs=0.1)


def test_only_archives_are_split_by_hours(ask: Run, book: Book, tmp_path: Path) -> None:
    refused = ask("render", book(3), "-o", tmp_path / "book.mp3", "--split-hours", "5")
    assert refused.returncode == 3
    assert "needs an archive for its files: a format of flac.zip" in refused.stderr
    out_of_range = ask("render", book(3), "-o", tmp_path / "book.mp3.zip", "--split-hours", "0")
    assert "0.0 is not between 0.001 and 1000" in out_of_range.stderr


@pytest.mark.books
def test_chapters_become_a_folder_with_the_files_of_the_archive(
    served: Run, book: Book, tmp_path: Path
) -> None:
    folder, out = f"{tmp_path}/The Harbour/", tmp_path / "book.opus.zip"
    done = served("render", book(3), "-o", folder, "--format", "opus", "--json")
    assert done.returncode == 0, done.stderr
    manifest = json.loads(done.stdout)
    assert manifest["file_format"] == "opus.zip"
    assert served("fetch", manifest["job"], "-o", out).returncode == 0
    with zipfile.ZipFile(out) as archive:
        inside = {name: archive.read(name) for name in archive.namelist()}
    assert len(inside) == len(samples.CHAPTERS) + 2  # a playlist and the cover
    assert {path.name: path.read_bytes() for path in Path(folder).iterdir()} == inside
    for listed in inside["playlist.m3u8"].decode().splitlines()[2::2]:
        assert float(probe(Path(folder) / listed)["format"]["duration"]) > 1
    assert (tmp_path / "The Harbour.chapters.json").exists()
    again = served("fetch", manifest["job"], "-o", Path(folder))  # an existing folder needs no slash
    assert again.returncode == 0, again.stderr


def test_formats_of_folders_are_checked_before_the_work(ask: Run, book: Book, tmp_path: Path) -> None:
    for output, options, reason in (
        ("book/", ("--format", "wav"), "'wav' is unknown; available: flac, opus, mp3, m4b"),
        ("book.mp3", ("--format", "mp3"), "is that of the files in a folder"),
    ):
        refused = ask("render", book(3), "-o", f"{tmp_path}/{output}", *options)
        assert refused.returncode == 3
        assert reason in " ".join(refused.stderr.split())
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    (mixed / "another book.mp3").touch()
    refused = ask("render", book(3), "-o", mixed)
    assert "files that are not of a folder of chapters (another book.mp3)" in " ".join(refused.stderr.split())
