"""Tests of the thread that hands the books of the outbox over."""

import hashlib
import os
from pathlib import Path

import pytest

from bench.harness import forked
from bench.harness.waiting import until
from pipeline.jobs import outbox
from pipeline.jobs.outbox import Notice
from tasks.handover.errors import OccupiedError
from tasks.handover.receivers import offer, outbox_of
from tasks.handover.sender import BookSender
from tasks.local.service import LocalService
from tasks.make_app import make_app
from tasks.settings import Settings
from tests.books import samples
from tests.books.audiobookshelf_server import KEY, AudiobookshelfServer
from tests.tasks.handover.finished_books import (
    PLACE,
    FinishedBook,
    files,
    finished_book,
    hand_over,
    settings_of,
)


def test_a_book_is_retried_until_the_server_takes_it(
    book: FinishedBook, server: AudiobookshelfServer, library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "FIRST_WAIT_S", 0.2)
    settings = settings_of(server, library=str(library), handover="books")
    server.faults = [500, 503]
    server.pause_s = 0.02  # a slow link
    for _ in range(2):  # a stitch may run twice
        offer(book.jobs, book.plan, book.manifest, settings)
    sender = BookSender(book.jobs, settings)

    def sent() -> bool:
        sender.check()
        return not list(book.jobs.store.objects.names("handover"))

    sender.check()
    placed = (library / PLACE / f"{samples.TITLE}.m4b").stat().st_mtime_ns
    assert len(list(book.jobs.store.objects.names("handover"))) == 1
    until(sent, timeout_s=30)
    assert len(server.uploads) == 1
    assert (server.folder / PLACE / f"{samples.TITLE}.m4b").read_bytes() == book.data
    assert (library / PLACE / f"{samples.TITLE}.m4b").stat().st_mtime_ns == placed, "the folder had it"


def test_a_late_attempt_does_not_replace_a_newer_revision(tmp_path: Path, library: Path) -> None:
    found = finished_book(tmp_path / "store", "mp3")
    data = b"another take"
    found.jobs.store.objects.replace("jobs/another", data)
    audio = {"name": "jobs/another", "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    settings = Settings(library=str(library), handover="books")
    offer(found.jobs, found.plan, found.manifest, settings)
    revised = {**found.manifest, "revision": 1, "audio": audio}
    found.jobs.revisions.finish(found.plan.job, 1, revised)
    BookSender(found.jobs, settings).check()
    assert (library / PLACE / f"{samples.TITLE}.mp3").read_bytes() == data


def test_logs_do_not_name_books(book: FinishedBook, library: Path, caplog: pytest.LogCaptureFixture) -> None:
    jobs = book.jobs
    settings = Settings(library=str(library), handover="books")
    (library / PLACE).mkdir(parents=True)
    (library / PLACE / "other.mp3").touch()
    outbox_of(jobs).put(book.plan.job, 7, "handover0", {"revision": 0})
    BookSender(jobs, settings).check()
    with pytest.raises(OccupiedError, match=r"other\.mp3"):
        hand_over(settings, book)
    assert f"`handover {book.plan.job}` says why" in caplog.text
    assert samples.TITLE not in caplog.text
    for name, _, _ in list(jobs.store.objects.names("handover")):
        jobs.store.objects.delete(name)


def aged_claim(book: FinishedBook, notice: Notice) -> Path:
    """File of the claim on a notice, which is made so old that its process counts as dead."""
    claim = Path(book.jobs.store.url, "handover-sending", notice.id)
    os.utime(claim, (0, 0))
    return claim


def test_what_a_dead_process_was_sending_is_sent_again(archive: FinishedBook, library: Path) -> None:
    settings = Settings(library=str(library), handover="all")
    offer(archive.jobs, archive.plan, archive.manifest, settings)
    (notice,) = outbox_of(archive.jobs).due()
    assert outbox_of(archive.jobs).begin(notice)  # and dies
    BookSender(archive.jobs, settings).check()
    assert files(library) == []
    aged_claim(archive, notice)
    BookSender(archive.jobs, settings).check()
    assert len(files(library)) == 5


def test_claims_of_living_processes_are_renewed(book: FinishedBook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "_RENEW_S", 0.05)
    box = outbox_of(book.jobs)
    box.put("a" * 16, 1, "handover9", {"revision": 9})
    (notice,) = box.due()
    assert box.begin(notice)
    with box.renewing(notice):
        claim = aged_claim(book, notice)
        until(lambda: claim.stat().st_mtime > 0)
        box.release()
        assert not box.begin(notice)
    box.sent(notice)


@pytest.mark.slow
def test_a_service_hands_books_over_by_itself(
    server: AudiobookshelfServer, library: Path, tmp_path: Path
) -> None:
    settings = settings_of(server, state=tmp_path / "state", library=str(library), handover="books")
    server.faults = [500]
    with LocalService(settings, concurrency=1, spawn=forked.spawn) as local:
        app = make_app(settings, local.broker_url)
        for script in (samples.epub(3), "Anna: Hello."):
            kwargs = {"script": script, "options": {"format": "mp3"}}
            app.send_task("voxchord.render", kwargs=kwargs, queue="voxchord").get(timeout=120)
        until(lambda: server.uploads, timeout_s=60)
        until(lambda: not list(app.resources.jobs.store.objects.names("handover")), timeout_s=20)
        names = [name for name, _, _ in app.resources.jobs.store.objects.names("jobs")]
        (job,) = {name.split("/")[1] for name in names if name.endswith(".handover0")}
        take = app.send_task(
            "voxchord.retake", kwargs={"job": job, "segment": 0, "seed": 7}, queue="voxchord"
        )
        picked = [job, 0, take.get(timeout=60)["take"]]
        app.send_task("voxchord.pick", args=picked, queue="cpu.stitch").get(timeout=60)
        until(lambda: len(server.uploads) == 2, timeout_s=60)
        app.close()
    assert files(library) == files(server.folder) == [str(PLACE / f"{samples.TITLE}.mp3")]
    logs = "".join(path.read_text() for path in (tmp_path / "state" / "logs").iterdir())
    assert "was not delivered" in logs
    assert KEY not in logs
