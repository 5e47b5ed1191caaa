"""Tests of finished books in a folder that a player watches."""

import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from bench.harness.silence import Silence
from pipeline.delivery.library import library_book, put_into_library
from pipeline.errors import OptionError
from pipeline.jobs.jobs import Jobs
from pipeline.planning.request import checked, split_options
from pipeline.script.parser import parse
from pipeline.script.turns import Work
from pipeline.store.artifacts import Store
from pipeline.voices.library import Voices
from tasks.notification.errors import NotDeliveredError
from tasks.settings import Settings
from tests.books import samples
from tests.books.probe import probe
from tests.tasks.handover.finished_books import CHAPTER_FILES, PLACE, FinishedBook, files, hand_over


def test_a_watched_folder_gets_books_by_author_and_series(book: FinishedBook, library: Path) -> None:
    assert put_into_library(book.jobs, book.plan, book.manifest, library) == library / PLACE
    out = library / PLACE / f"{samples.TITLE}.m4b"
    assert files(library) == [str(out.relative_to(library))]
    assert out.read_bytes() == book.data
    found = probe(out)
    assert found["format"]["tags"]["artist"] == samples.AUTHOR
    assert len(found["chapters"]) == len(samples.CHAPTERS)
    assert [each["codec_name"] for each in found["streams"] if each["disposition"]["attached_pic"]] == ["png"]
    assert stat.S_IMODE(out.stat().st_mode) == 0o660, "the player's group reads it"
    assert {stat.S_IMODE(each.stat().st_mode) & 0o777 for each in out.parents[:3]} == {0o770}


def test_a_book_arrives_again_in_place_of_the_earlier_one(archive: FinishedBook, library: Path) -> None:
    put_into_library(archive.jobs, archive.plan, archive.manifest, library)
    folder = library / PLACE
    assert files(folder) == [*CHAPTER_FILES, "cover.png", "playlist.m3u8"]
    (folder / "metadata.json").write_text("of the player")
    orphan = folder / ".voxchord-old.part"
    orphan.touch()
    os.utime(orphan, (0, 0))
    put_into_library(archive.jobs, archive.plan, archive.manifest, library)
    assert files(folder) == [*CHAPTER_FILES, "cover.png", "metadata.json", "playlist.m3u8"]


def test_the_users_own_books_are_not_touched(book: FinishedBook, library: Path) -> None:
    own = library / PLACE / "an edition of another narrator.mp3"
    own.parent.mkdir(parents=True)
    own.write_text("of the user")
    with pytest.raises(OptionError, match="another narrator"):
        put_into_library(book.jobs, book.plan, book.manifest, library)
    (own.parent / f"{samples.TITLE}.m4b").write_text("of the user")
    with pytest.raises(OptionError):
        put_into_library(book.jobs, book.plan, book.manifest, library)
    assert [path.read_text() for path in own.parent.iterdir()] == ["of the user"] * 2


def test_a_library_that_is_not_mounted_is_not_made(book: FinishedBook, tmp_path: Path) -> None:
    missing = Settings(library=str(tmp_path / "nas"))
    with pytest.raises(NotDeliveredError, match="nas is no folder; create or mount it"):
        hand_over(missing, book)
    assert not (tmp_path / "nas").exists()


def test_a_series_needs_an_author_and_names_are_composed(tmp_path: Path) -> None:
    jobs = Jobs(Store(str(tmp_path)))
    for work, folders in (
        (Work(title="Dusk", series="Tales"), ("Dusk",)),
        (Work(title="Cafe\u0301: 1/2", authors=("../Zoe\u0308", "B")), ("Zo\u00eb, B", "Caf\u00e9 1 2")),
        (Work(), None),
    ):
        script = replace(parse(f"Anna: Hello {work.title}."), work=work)
        own, rest = split_options({"format": "mp3"}, engine="silence")
        request = checked(script, {}, own, rest, engine=Silence(), registered=Voices(jobs.store))
        plan = jobs.plans.create(request, Silence().profile)
        assert library_book(jobs, plan).folders == (folders or (f"Job {plan.job}",))
