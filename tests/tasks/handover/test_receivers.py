"""Finished books in a watched folder and in a server of Audiobookshelf's routes."""

import hashlib
import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from bench.harness.services import valkey
from bench.harness.silence import Silence
from bench.harness.waiting import until
from pipeline.books.reader import read
from pipeline.delivery.library import LibraryBook, library_book, put_into_library
from pipeline.errors import OptionError
from pipeline.jobs import outbox
from pipeline.jobs.jobs import Jobs
from pipeline.jobs.plans import Plan
from pipeline.planning.request import checked, split_options
from pipeline.script.parser import parse
from pipeline.script.turns import Work
from pipeline.store.artifacts import Store
from pipeline.voices.library import Voices
from tasks.handover.audiobookshelf import Audiobookshelf
from tasks.handover.errors import OccupiedError
from tasks.handover.receivers import offer, outbox_of, receivers
from tasks.handover.sender import BookSender
from tasks.local.service import LocalService
from tasks.make_app import make_app
from tasks.message_headers import OPENING
from tasks.metering.outcome import Replaced
from tasks.notification.delivery import NotDeliveredError
from tasks.settings import Settings, load
from tests.books import audiobookshelf_server, samples
from tests.books.audiobookshelf_server import KEY, AudiobookshelfServer
from tests.books.probe import probe
from tests.books.rendering import made

PLACE = Path(samples.AUTHOR, samples.SERIES, samples.TITLE)
CHAPTER_FILES = [
    "01 Chapter One The Harbour.opus",
    "02 Chapter Two The Stair.opus",
    "03 Chapter Three The Lamp.opus",
]


@dataclass
class Made:
    """A rendered book."""

    jobs: Jobs
    plan: Plan
    manifest: dict[str, Any]
    data: bytes


def rendered(folder: Path, file_format: str) -> Made:
    jobs = Jobs(Store(str(folder)))
    manifest, data = made(jobs, read(samples.epub(3)), format=file_format)
    return Made(jobs, jobs.plans.need(manifest["job"]), manifest, data)


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return rendered(tmp_path_factory.mktemp("m4b"), "m4b")


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return rendered(tmp_path_factory.mktemp("zip"), "opus.zip")


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A folder that a player of the same group watches."""
    folder = tmp_path / "library"
    folder.mkdir()
    folder.chmod(0o2770)
    return folder


@pytest.fixture
def server(tmp_path: Path) -> Iterator[AudiobookshelfServer]:
    with audiobookshelf_server.running(tmp_path / "books") as found:
        yield found


def settings_of(server: AudiobookshelfServer, **more: Any) -> Settings:
    return Settings(audiobookshelf_url=server.url, audiobookshelf_key=KEY, **more)


def hand_over(settings: Settings, book: Made, *, force: bool = False) -> list[str]:
    return [each(book.jobs, book.plan, book.manifest, force) for _, each in receivers(settings)]


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_watched_folder_gets_books_by_author_and_series(book: Made, library: Path) -> None:
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


def test_a_book_arrives_again_in_place_of_the_earlier_one(archive: Made, library: Path) -> None:
    put_into_library(archive.jobs, archive.plan, archive.manifest, library)
    folder = library / PLACE
    assert files(folder) == [*CHAPTER_FILES, "cover.png", "playlist.m3u8"]
    (folder / "metadata.json").write_text("of the player")
    orphan = folder / ".voxchord-old.part"
    orphan.touch()
    os.utime(orphan, (0, 0))
    put_into_library(archive.jobs, archive.plan, archive.manifest, library)
    assert files(folder) == [*CHAPTER_FILES, "cover.png", "metadata.json", "playlist.m3u8"]


def test_the_users_own_books_are_not_touched(book: Made, library: Path) -> None:
    own = library / PLACE / "an edition of another narrator.mp3"
    own.parent.mkdir(parents=True)
    own.write_text("of the user")
    with pytest.raises(OptionError, match="another narrator"):
        put_into_library(book.jobs, book.plan, book.manifest, library)
    (own.parent / f"{samples.TITLE}.m4b").write_text("of the user")
    with pytest.raises(OptionError):
        put_into_library(book.jobs, book.plan, book.manifest, library)
    assert [path.read_text() for path in own.parent.iterdir()] == ["of the user"] * 2


def test_a_library_that_is_not_mounted_is_not_made(book: Made, tmp_path: Path) -> None:
    missing = Settings(library=str(tmp_path / "nas"))
    with pytest.raises(NotDeliveredError, match="nas is no folder; create or mount it"):
        hand_over(missing, book)
    assert not (tmp_path / "nas").exists()


def test_audiobookshelf_gets_an_m4b(book: Made, server: AudiobookshelfServer) -> None:
    assert hand_over(settings_of(server), book) == [
        f"{server.url.removeprefix('http://')}, library Books: {PLACE}"
    ]
    assert server.uploads == [
        {
            **{"title": samples.TITLE, "author": samples.AUTHOR, "series": samples.SERIES},
            **{"library": "lib_Books", "folder": "fol_Books"},
        }
    ]
    assert (server.folder / PLACE / f"{samples.TITLE}.m4b").read_bytes() == book.data


def test_audiobookshelf_gets_the_files_of_chapters(archive: Made, server: AudiobookshelfServer) -> None:
    hand_over(settings_of(server), archive)
    assert files(server.folder / PLACE) == [*CHAPTER_FILES, "cover.png", "playlist.m3u8"]
    for name in CHAPTER_FILES:
        assert float(probe(server.folder / PLACE / name)["format"]["duration"]) > 1


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"audiobookshelf_library": "Novels"}, "has 0 libraries of books 'Novels'"),
        ({"audiobookshelf_library": "Casts"}, "has 0 libraries of books 'Casts'"),
        ({"audiobookshelf_folder": "/elsewhere"}, "has no folder '/elsewhere' in the library 'Books'"),
    ],
)
def test_unknown_places_are_named(
    book: Made, server: AudiobookshelfServer, settings: dict[str, str], reason: str
) -> None:
    with pytest.raises(NotDeliveredError, match=reason):
        hand_over(settings_of(server, **settings), book)
    assert server.uploads == []


def test_libraries_are_found_by_name_and_by_id(book: Made, server: AudiobookshelfServer) -> None:
    for library in ("Books", "lib_Books"):
        found = Audiobookshelf(server.url, KEY, library, str(server.folder))
        assert found.place() == f"Books ({server.folder})"


def test_refusals_are_reported_without_the_key(book: Made, server: AudiobookshelfServer) -> None:
    for key, reason in (("wrong-key", "answers 401 Unauthorized"), (KEY, "answers 403 Forbidden")):
        server.may_upload = False
        settings = Settings(audiobookshelf_url=server.url, audiobookshelf_key=key)
        with pytest.raises(NotDeliveredError, match=reason) as refused:
            hand_over(settings, book)
        assert key not in str(refused.value)
    gone = Settings(audiobookshelf_url="http://127.0.0.1:1", audiobookshelf_key=KEY)
    with pytest.raises(NotDeliveredError, match=r"127\.0\.0\.1:1: ConnectError"):
        hand_over(gone, book)


def test_a_page_of_a_proxy_is_no_answer(book: Made, server: AudiobookshelfServer) -> None:
    server.page = "<html>Sign in</html>"
    with pytest.raises(NotDeliveredError, match="answers with no JSON object; is it Audiobookshelf"):
        hand_over(settings_of(server), book)
    assert server.uploads == []


@pytest.mark.parametrize(
    "listing",
    [
        '{"libraries": {}}',
        '{"libraries": 1}',
        '{"libraries": ["Books"]}',
        '{"libraries": [{"id": "a", "name": "Books"}]}',
        '{"libraries": [{"id": "a", "name": "Books", "folders": [1]}]}',
    ],
)
def test_lists_of_other_programs_are_refused(book: Made, server: AudiobookshelfServer, listing: str) -> None:
    server.listing = listing
    with pytest.raises(NotDeliveredError, match="libraries"):
        hand_over(settings_of(server), book)
    assert server.uploads == []


def test_books_of_others_on_the_server_are_not_replaced(book: Made, server: AudiobookshelfServer) -> None:
    (server.folder / PLACE).mkdir(parents=True)
    elsewhere = Jobs(Store(f"{book.jobs.store.url}-fresh"))
    with pytest.raises(NotDeliveredError, match="has another book as 'Ann Author/"):
        Audiobookshelf(server.url, KEY).upload(
            elsewhere.store, LibraryBook(samples.TITLE, samples.AUTHOR, samples.SERIES), {}
        )


def test_a_book_is_retried_until_the_server_takes_it(
    book: Made, server: AudiobookshelfServer, library: Path, monkeypatch: pytest.MonkeyPatch
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
    (notice,) = list(book.jobs.store.objects.names("handover"))
    until(sent, timeout_s=30)
    assert len(server.uploads) == 1
    assert (server.folder / PLACE / f"{samples.TITLE}.m4b").read_bytes() == book.data
    assert (library / PLACE / f"{samples.TITLE}.m4b").stat().st_mtime_ns == placed, "the folder had it"
    assert notice


def test_a_late_attempt_does_not_replace_a_newer_revision(tmp_path: Path, library: Path) -> None:
    found = rendered(tmp_path / "store", "mp3")
    data = b"another take"
    found.jobs.store.objects.replace("jobs/another", data)
    audio = {"name": "jobs/another", "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    settings = Settings(library=str(library), handover="books")
    offer(found.jobs, found.plan, found.manifest, settings)
    revised = {**found.manifest, "revision": 1, "audio": audio}
    found.jobs.revisions.finish(found.plan.job, 1, revised)
    BookSender(found.jobs, settings).check()
    assert (library / PLACE / f"{samples.TITLE}.mp3").read_bytes() == data


def test_logs_do_not_name_books(book: Made, library: Path, caplog: pytest.LogCaptureFixture) -> None:
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


def test_what_a_dead_process_was_sending_is_sent_again(
    archive: Made, library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(library=str(library), handover="all")
    offer(archive.jobs, archive.plan, archive.manifest, settings)
    (notice,) = outbox_of(archive.jobs).due()
    assert outbox_of(archive.jobs).begin(notice)  # and dies
    BookSender(archive.jobs, settings).check()
    assert files(library) == []
    monkeypatch.setattr(outbox, "_DEAD_S", 0.05)
    time.sleep(0.1)
    BookSender(archive.jobs, settings).check()
    assert len(files(library)) == 5


def test_claims_of_living_processes_are_renewed(book: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "_RENEW_S", 0.05)
    monkeypatch.setattr(outbox, "_DEAD_S", 0.5)
    box = outbox_of(book.jobs)
    box.put("a" * 16, 1, "handover9", {"revision": 9})
    (notice,) = box.due()
    assert box.begin(notice)
    with box.renewing(notice):
        time.sleep(0.8)
        box.release()
        assert not box.begin(notice)
    box.sent(notice)


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


def test_only_what_the_setting_names_is_offered(tmp_path: Path) -> None:
    jobs = Jobs(Store(str(tmp_path)))
    manifest, _ = made(jobs, parse("Anna: Hello."), format="opus")
    plan = jobs.plans.need(manifest["job"])
    for wanted, offered in (("", 0), ("books", 0), ("all", 1)):
        offer(jobs, plan, manifest, Settings(handover=wanted, library="x"))
        assert len(list(jobs.store.objects.names("handover"))) == offered
    gaps = {**manifest, "state": "gaps", "revision": 1}
    offer(jobs, plan, gaps, Settings(handover="all", library="x"))
    assert len(list(jobs.store.objects.names("handover"))) == 1


@pytest.mark.parametrize(("title", "offered"), [(None, 0), ("The mill", 1)])
def test_a_script_with_chapters_is_a_book_if_it_has_a_title(
    tmp_path: Path, title: str | None, offered: int
) -> None:
    jobs = Jobs(Store(str(tmp_path)))
    named = {} if title is None else {"title": title}
    manifest, _ = made(jobs, parse("# The mill\n\nAnna: It rained."), format="opus", **named)
    plan = jobs.plans.need(manifest["job"])
    offer(jobs, plan, manifest, Settings(handover="books", library="x"))
    assert len(list(jobs.store.objects.names("handover"))) == offered


def test_the_opening_of_a_streamed_text_is_not_offered(tmp_path: Path) -> None:
    settings = Settings(state=tmp_path, metering=False, handover="all", library=str(tmp_path))
    text = "# The mill\n\n" + "It rained on the roofs of the town that day. " * 100
    options = {"form": "markdown", "format": "opus", "first_segment_words": 10}
    with valkey() as broker, make_app(settings, broker) as app:
        task, jobs = app.tasks["voxchord.render"], app.resources.jobs
        task.push_request(id="whole", **{OPENING: "ahead"})
        with pytest.raises(Replaced):
            task.run(script=text, options=options)
        task.pop_request()
        for root, offered in (("ahead", 0), ("whole", 1)):
            plan = jobs.plans.need(str(jobs.intake.job_of(root)))
            offer(jobs, plan, {"state": "done", "file_format": "opus", "revision": 0}, settings)
            assert len(list(jobs.store.objects.names("handover"))) == offered


@pytest.mark.parametrize(("redelivered", "offered"), [(False, 0), (True, 1)])
def test_a_pick_whose_process_died_before_it_offered_the_file_does_so(
    tmp_path: Path, redelivered: bool, offered: int
) -> None:
    silent = Settings(state=tmp_path, metering=False)
    with valkey() as broker:
        with make_app(silent, broker) as app:
            jobs = app.resources.jobs
            manifest, _ = made(jobs, read(samples.epub(3)), format="opus")
            picked = app.tasks["voxchord.pick"].run(manifest["job"], 0, 0)
        with make_app(replace(silent, handover="books", library=str(tmp_path)), broker) as app:
            task = app.tasks["voxchord.pick"]
            task.push_request(id="pick", delivery_info={"redelivered": redelivered})
            assert task.run(manifest["job"], 0, 0) == picked
            task.pop_request()
    assert len(list(jobs.store.objects.names("handover"))) == offered


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"VOXCHORD_HANDOVER": "films", "VOXCHORD_LIBRARY": "x"}, "'films' is neither books nor all"),
        ({"VOXCHORD_HANDOVER": "all"}, "needs VOXCHORD_LIBRARY or"),
        ({"VOXCHORD_AUDIOBOOKSHELF_URL": "shelf:13378"}, "is no http or https address"),
        ({"VOXCHORD_AUDIOBOOKSHELF_URL": "http://[shelf"}, "is no http or https address"),
        ({"VOXCHORD_AUDIOBOOKSHELF_URL": "http://shelf:13378"}, "VOXCHORD_AUDIOBOOKSHELF_KEY.*is missing"),
        (
            {"VOXCHORD_AUDIOBOOKSHELF_URL": "http://shelf:13378", "VOXCHORD_AUDIOBOOKSHELF_KEY": "k\u00e9y"},
            "VOXCHORD_AUDIOBOOKSHELF_KEY.*not ASCII",
        ),
    ],
)
def test_settings_are_checked(variables: dict[str, str], reason: str) -> None:
    with pytest.raises(OptionError, match=reason):
        load(variables)


@pytest.mark.slow
def test_a_service_hands_books_over_by_itself(
    server: AudiobookshelfServer, library: Path, tmp_path: Path
) -> None:
    settings = settings_of(server, state=tmp_path / "state", library=str(library), handover="books")
    server.faults = [500]
    with LocalService(settings, concurrency=1) as local:
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
