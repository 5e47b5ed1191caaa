"""Receivers of finished books by the settings, and what is handed over to them by itself."""

import logging
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.delivery.job_files import audio_files
from pipeline.delivery.library import library_book, put_into_library
from pipeline.errors import OptionError, StoreError
from pipeline.file_formats import RAW
from pipeline.jobs.jobs import Jobs
from pipeline.jobs.outbox import HANDOVER, Outbox
from pipeline.jobs.plans import Plan
from tasks.handover.errors import OccupiedError
from tasks.notification.errors import NotDeliveredError
from tasks.settings import Settings

if TYPE_CHECKING:
    from tasks.handover.audiobookshelf import Audiobookshelf

log = logging.getLogger(__name__)

AGE_MAX_S = 7 * 24 * 3600.0
"""Age at which a book that no receiver takes is dropped."""
HandOver = Callable[[Jobs, Plan, dict[str, Any], bool], str]
"""Hands a job's file over: store, plan, manifest, force; returns where it is."""


def outbox_of(jobs: Jobs) -> Outbox:
    """Outbox of books that are to be handed over."""
    return Outbox(jobs.store, HANDOVER, AGE_MAX_S)


def offer(jobs: Jobs, plan: Plan, manifest: dict[str, Any], settings: Settings) -> None:
    """Put a finished job into the outbox if the settings say so, once; the job never waits or fails for it.

    A file with gaps is left to the command `handover`.
    """
    if not settings.handover or manifest["state"] != "done" or manifest["file_format"] == RAW:
        return
    try:
        if jobs.store.has(_excluded(plan.job)):
            return
        named = plan.options.title or jobs.plans.is_book(plan.job)
        if settings.handover == "books" and not named:
            return
        event = f"{HANDOVER}{manifest['revision']}"
        run_no = jobs.coordination.run_no(plan.job)
        outbox_of(jobs).put(plan.job, run_no, event, {"revision": manifest["revision"]})
    except (StoreError, OSError) as lost:
        log.warning("a book is not handed over: %s", lost, extra={"job": plan.job})


def exclude(jobs: Jobs, job: str, settings: Settings) -> None:
    """Never offer a job, such as the opening of a text that is rendered ahead."""
    if settings.handover:
        jobs.store.put(_excluded(job), b"")


def _excluded(job: str) -> str:
    return f"jobs/{job}/not-handed-over"


def receivers(settings: Settings) -> Iterator[tuple[str, HandOver]]:
    """Yield addresses, and functions that hand a book over or raise NotDeliveredError."""
    if settings.library:
        yield f"folder {settings.library}", partial(_into_folder, Path(settings.library))
    if settings.audiobookshelf_url:
        server = audiobookshelf_of(settings)
        yield f"audiobookshelf {server.url}", partial(_to_server, server)


def audiobookshelf_of(settings: Settings) -> "Audiobookshelf":
    """The server by the settings."""
    from tasks.handover.audiobookshelf import Audiobookshelf

    return Audiobookshelf(
        settings.audiobookshelf_url,
        settings.audiobookshelf_key,
        settings.audiobookshelf_library,
        settings.audiobookshelf_folder,
    )


def _into_folder(library: Path, jobs: Jobs, plan: Plan, manifest: dict[str, Any], force: bool) -> str:
    try:
        return str(put_into_library(jobs, plan, manifest, library, force=force))
    except OptionError as error:
        raise (OccupiedError if library.is_dir() else NotDeliveredError)(error.reason) from None
    except OSError as error:
        raise NotDeliveredError(f"{library}: {error.strerror}") from None


def _to_server(
    server: "Audiobookshelf", jobs: Jobs, plan: Plan, manifest: dict[str, Any], force: bool
) -> str:
    server.place()  # a server that is away costs no copy of the book
    book = library_book(jobs, plan)
    with (
        audio_files(jobs, manifest, book.title) as contents,
        tempfile.TemporaryDirectory(dir=jobs.store.scratch(), prefix="upload-") as folder,
    ):
        files = {name: Path(folder) / str(number) for number, name in enumerate(contents)}
        for name, path in files.items():
            contents[name](path)
        library = server.upload(jobs.store, book, files, force=force)
    return f"{server.host}, library {library}: {'/'.join(book.folders)}"
