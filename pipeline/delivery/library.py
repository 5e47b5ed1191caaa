"""Finished books in a folder that a player watches: `Author/Series/Title/Title.m4b`.

Audiobookshelf, Jellyfin and Plex read this layout; the files hold cover, chapters and metadata. Files and
folders have the permissions of the watched folder, so that the player's user can read them.
"""

import time
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.delivery.delivery import PARTS, Delivery
from pipeline.delivery.job_files import audio_files, title_of
from pipeline.delivery.permissions import permissions_of
from pipeline.errors import OptionError
from pipeline.file_formats import audio_format_of
from pipeline.jobs.jobs import Jobs
from pipeline.jobs.plans import Plan
from pipeline.stitching.chapter_files import file_name

_ORPHAN_S = 3600.0
"""Age of a temporary file whose writer has died."""


@dataclass(frozen=True, slots=True)
class LibraryBook:
    """Place of a book in a library, in names that every file system takes."""

    title: str
    author: str = ""
    series: str = ""
    """Empty without an author, since the folder above a book is its author's."""

    @property
    def folders(self) -> tuple[str, ...]:
        """Folders from the library down to the book.

        >>> LibraryBook("Dusk").folders, LibraryBook("Dusk", "Ann Lee", "Tales").folders
        (('Dusk',), ('Ann Lee', 'Tales', 'Dusk'))
        """
        return (*filter(None, (self.author, self.series)), self.title)


def library_book(jobs: Jobs, plan: Plan) -> LibraryBook:
    """Place of a job's book by its metadata."""
    work, _ = jobs.plans.book(plan.job)
    authors = ", ".join(work.authors)
    return LibraryBook(*map(_name, (title_of(plan, work), authors, work.series if authors else "")))


def _name(text: str) -> str:
    """Name of a folder in composed characters, as Audiobookshelf makes it; nothing for nothing."""
    return file_name(unicodedata.normalize("NFC", text)) if text else ""


def put_into_library(
    jobs: Jobs, plan: Plan, manifest: dict[str, Any], library: Path, *, force: bool = False
) -> Path:
    """Put a finished book into a watched folder, each file at once; returns the book's folder.

    An earlier delivery of the same book is replaced.

    Args:
        force: replace files that voxchord did not write.

    Raises:
        OptionError: there is no such library, or the book's folder has audio that voxchord did not write.
        RetryableError: the job's file is missing or damaged.
    """
    if not library.is_dir():
        raise OptionError("VOXCHORD_LIBRARY", f"{library} is no folder; create or mount it")
    book = library_book(jobs, plan)
    folder = library.joinpath(*book.folders)
    delivery = Delivery(jobs.store, {}, folder=folder, mixes=_is_audio, force=force)
    with permissions_of(library), audio_files(jobs, manifest, book.title) as files:
        delivery.check()
        _remove_orphans(folder)
        delivery.write({folder / name: content for name, content in files.items()})
    return folder


def _is_audio(name: str) -> bool:
    """True for a file that a player would take for a part of the book."""
    return not name.startswith(".") and audio_format_of(name) is not None


def _remove_orphans(folder: Path) -> None:
    for part in folder.glob(PARTS):
        if time.time() - part.stat().st_mtime > _ORPHAN_S:
            part.unlink(missing_ok=True)
