"""Finished files with the chapters, cover and metadata of a book, read back by ffprobe and mutagen."""

import io
import zipfile
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import mutagen
import numpy as np
import pytest
import soundfile
from mutagen.flac import FLAC
from mutagen.id3 import ID3
from mutagen.mp4 import MP4
from mutagen.oggopus import OggOpus

from pipeline.arrays import Pcm
from pipeline.stitching.chapter_files import file_name
from pipeline.stitching.encoders import writer
from pipeline.stitching.tags import ChapterTag, Tags
from tests.books import samples
from tests.books.probe import probe

RATE_HZ = 24_000
STARTS_S, LENGTH_S = (0.0, 2.5, 6.125), 9.5
TAGS = Tags(
    title=samples.TITLE,
    authors=(samples.AUTHOR, "Zoë Second"),
    series="Harbour Tales #2",
    language="en-GB",
    cover=samples.png(),
    cover_type="image/png",
    chapters=tuple(
        ChapterTag(title, start_s, end_s)
        for title, start_s, end_s in zip(samples.CHAPTERS, STARTS_S, (*STARTS_S[1:], LENGTH_S), strict=True)
    ),
)
AUTHORS = f"{samples.AUTHOR}, Zoë Second"
with_chapters = pytest.mark.parametrize("file_format", ["m4b", "mp3", "aac", "opus", "flac"])


def tone() -> Pcm:
    """A tone whose pitch changes with each chapter."""
    time_s = np.arange(round(LENGTH_S * RATE_HZ)) / RATE_HZ
    pitch_hz = 300 + 200 * np.searchsorted(STARTS_S, time_s, side="right")
    return (8000 * np.sin(2 * np.pi * np.cumsum(pitch_hz) / RATE_HZ)).astype(np.int16)


def written(folder: Path, file_format: str, tags: Tags = TAGS) -> Path:
    path, pcm = folder / f"book.{file_format}", tone()
    with writer(path, file_format, sample_rate_hz=RATE_HZ, samples=len(pcm), tags=tags) as file:
        for start in range(0, len(pcm), 10_007):
            file.write(pcm[start : start + 10_007])
    return path


@with_chapters
def test_ffprobe_reads_chapters_and_metadata(tmp_path: Path, file_format: str) -> None:
    found = probe(written(tmp_path, file_format))
    assert [chapter["tags"]["title"] for chapter in found["chapters"]] == list(samples.CHAPTERS)
    assert [float(chapter["start_time"]) for chapter in found["chapters"]] == pytest.approx(
        STARTS_S, abs=0.002
    )
    assert float(found["chapters"][-1]["end_time"]) == pytest.approx(LENGTH_S, abs=0.05)
    tags = {**found["streams"][0].get("tags", {}), **found["format"].get("tags", {})}
    tags = {name.lower(): text for name, text in tags.items()}
    assert (tags["title"], tags["artist"], tags["album"]) == (samples.TITLE, AUTHORS, samples.TITLE)
    assert (tags["genre"], tags["grouping"]) == ("Audiobook", "Harbour Tales #2")
    assert "AI-generated" in tags["comment"]
    pictures = [each for each in found["streams"] if each["disposition"]["attached_pic"]]
    assert [each["codec_name"] for each in pictures] == ([] if file_format == "aac" else ["png"])


def test_mutagen_reads_an_m4b(tmp_path: Path) -> None:
    found = MP4(written(tmp_path, "m4b"))
    assert [bytes(cover) for cover in found.tags["covr"]] == [samples.png()]
    assert (found.tags["\xa9nam"], found.tags["\xa9ART"]) == ([samples.TITLE], [AUTHORS])
    assert (found.tags["\xa9gen"], found.tags["stik"]) == (["Audiobook"], [2])
    assert [(chapter.title, chapter.start) for chapter in found.chapters] == list(
        zip(samples.CHAPTERS, STARTS_S, strict=True)
    )
    assert found.info.length == pytest.approx(LENGTH_S, abs=0.05)


@pytest.mark.parametrize("file_format", ["mp3", "aac"])
def test_mutagen_reads_id3(tmp_path: Path, file_format: str) -> None:
    found = ID3(written(tmp_path, file_format))
    contents = found.getall("CTOC")[0]
    chapters = {chapter.element_id: chapter for chapter in found.getall("CHAP")}
    ordered = [chapters[name] for name in contents.child_element_ids]
    assert [str(chapter.sub_frames["TIT2"]) for chapter in ordered] == list(samples.CHAPTERS)
    assert [chapter.start_time for chapter in ordered] == [0, 2500, 6125]
    assert ordered[-1].end_time == 9500
    assert (str(found["TIT2"]), str(found["TPE1"])) == (samples.TITLE, AUTHORS)
    assert [each.data for each in found.getall("APIC")] == ([samples.png()] if file_format == "mp3" else [])


def test_mutagen_reads_vorbis_comments(tmp_path: Path) -> None:
    flac, opus = FLAC(written(tmp_path, "flac")), OggOpus(written(tmp_path, "opus"))
    for found in (flac, opus):
        assert (found["title"], found["artist"]) == ([samples.TITLE], [AUTHORS])
        assert found["chapter003name"] == [samples.CHAPTERS[2]]
        assert found["chapter003"] == ["00:00:06.125"]
        assert found.info.length == pytest.approx(LENGTH_S, abs=0.05)
    assert [each.data for each in flac.pictures] == [samples.png()]
    assert opus["metadata_block_picture"]


def test_flac_with_tags_is_lossless_and_reproducible(tmp_path: Path) -> None:
    path = written(tmp_path, "flac")
    first = path.read_bytes()
    assert written(tmp_path, "flac").read_bytes() == first
    pcm, _ = soundfile.read(path, dtype="int16")
    np.testing.assert_array_equal(pcm, tone())
    assert soundfile.info(path).frames == len(tone())


@pytest.mark.parametrize("kind", ["flac", "opus", "mp3", "m4b"])
def test_one_file_per_chapter(tmp_path: Path, kind: str) -> None:
    with zipfile.ZipFile(written(tmp_path, f"{kind}.zip")) as archive:
        assert archive.testzip() is None
        files = {name: archive.read(name) for name in archive.namelist()}
    names = [name for name in files if name.endswith(f".{kind}")]
    assert names == [
        f"01 Chapter One The Harbour.{kind}",
        f"02 Chapter Two The Stair.{kind}",
        f"03 Chapter Three The Lamp.{kind}",
    ]
    assert files["cover.png"] == samples.png()
    playlist = files["playlist.m3u8"].decode().splitlines()
    assert playlist[:3] == ["#EXTM3U", "#EXTINF:2,Chapter One: The Harbour", names[0]]
    for number, name in enumerate(names):
        found = mutagen.File(io.BytesIO(files[name]), easy=True)
        assert (found["title"], found["album"]) == ([samples.CHAPTERS[number]], [samples.TITLE])
        assert found["tracknumber"] == [f"{number + 1}/3"]
        end_s = (*STARTS_S[1:], LENGTH_S)[number]
        assert found.info.length == pytest.approx(end_s - STARTS_S[number], abs=0.08)
    assert list(tmp_path.iterdir()) == [tmp_path / f"book.{kind}.zip"]


def test_chapter_files_have_the_samples_of_their_chapters(tmp_path: Path) -> None:
    with zipfile.ZipFile(written(tmp_path, "flac.zip")) as archive:
        parts = [
            soundfile.read(io.BytesIO(archive.read(name)), dtype="int16")[0]
            for name in archive.namelist()
            if name.endswith(".flac")
        ]
    np.testing.assert_array_equal(np.concatenate(parts), tone())
    assert len(parts[0]) == 2.5 * RATE_HZ


@pytest.mark.parametrize(("letter", "letters"), [("a", 80), ("漢", 80), ("𝕿", 60)])
def test_long_titles_fit_into_names_of_files(tmp_path: Path, letter: str, letters: int) -> None:
    name = file_name(letter * 100)
    assert name == letter * letters
    (tmp_path / f"1234 {name}.flac").touch()


def test_a_script_without_chapters_is_one_file(tmp_path: Path) -> None:
    with zipfile.ZipFile(written(tmp_path, "mp3.zip", Tags(title="A play"))) as archive:
        assert archive.namelist() == ["01 A play.mp3", "playlist.m3u8"]


def test_parts_of_an_archive_have_their_own_chapters_and_tags(tmp_path: Path) -> None:
    cuts_s = (0.0, 4.0, LENGTH_S)
    ends_s = enumerate(pairwise(cuts_s), 1)
    halves = tuple(ChapterTag(f"Part {i}", start_s, end_s) for i, (start_s, end_s) in ends_s)
    path = written(tmp_path, "mp3.zip", replace(TAGS, parts=halves))
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path)
        assert archive.namelist() == ["01 Part 1.mp3", "02 Part 2.mp3", "playlist.m3u8", "cover.png"]
    for name, marks in (("01 Part 1.mp3", [0.0, 2.5, 4.0]), ("02 Part 2.mp3", [0.0, 2.125, 5.5])):
        found = probe(tmp_path / name)
        times_s = [float(chapter["start_time"]) for chapter in found["chapters"]]
        assert [*times_s, float(found["chapters"][-1]["end_time"])] == pytest.approx(marks, abs=0.002)
