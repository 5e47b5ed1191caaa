"""Finished books, and where receivers put their files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.books.reader import read
from pipeline.jobs.jobs import Jobs
from pipeline.jobs.plans import Plan
from pipeline.store.artifacts import Store
from tasks.handover.receivers import receivers
from tasks.settings import Settings
from tests.books import samples
from tests.books.audiobookshelf_server import KEY, AudiobookshelfServer
from tests.books.rendering import made

PLACE = Path(samples.AUTHOR, samples.SERIES, samples.TITLE)
CHAPTER_FILES = [
    "01 Chapter One The Harbour.opus",
    "02 Chapter Two The Stair.opus",
    "03 Chapter Three The Lamp.opus",
]


@dataclass
class FinishedBook:
    """A rendered book."""

    jobs: Jobs
    plan: Plan
    manifest: dict[str, Any]
    data: bytes


def finished_book(folder: Path, file_format: str) -> FinishedBook:
    jobs = Jobs(Store(str(folder)))
    manifest, data = made(jobs, read(samples.epub(3)), format=file_format)
    return FinishedBook(jobs, jobs.plans.need(manifest["job"]), manifest, data)


def settings_of(server: AudiobookshelfServer, **more: Any) -> Settings:
    return Settings(audiobookshelf_url=server.url, audiobookshelf_key=KEY, **more)


def hand_over(settings: Settings, book: FinishedBook) -> list[str]:
    return [each(book.jobs, book.plan, book.manifest, False) for _, each in receivers(settings)]


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
