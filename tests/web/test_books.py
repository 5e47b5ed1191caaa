"""Tests of books that are uploaded once, checked, and made into jobs."""

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from bench.harness.http_service import Answer, HttpService, bearer
from bench.harness.waiting import until
from pipeline.jobs.uploads import RETENTION_S
from pipeline.store.artifacts import Store
from pipeline.store.local import LocalObjects
from tasks.make_app import make_app
from tasks.settings import Settings
from tests.books import other_forms, samples
from tests.tools import slow
from tests.web.uploads import upload
from web.access.clients import Client
from web.scripts.stored_books import BOOKS_MAX, BYTES_MAX, ClientBooks

PATH = "/v1/audio/books"
FORMS = {
    "epub": samples.epub(3),
    "docx": other_forms.docx(),
    "html": other_forms.html().encode(),
    "md": other_forms.markdown().encode(),
    "text": other_forms.plain().encode(),
}


def put(service: HttpService, data: bytes, **headers: str) -> dict[str, Any]:
    answer = upload(service, PATH, data, **headers)
    assert answer.status == 201, answer.json
    book: dict[str, Any] = answer.json
    return book


def check(service: HttpService, book: str, **fields: Any) -> dict[str, Any]:
    answer = service.ask("POST", "/v1/audio/check", {"book": book, **fields})
    assert answer.status == 200, answer.json
    found: dict[str, Any] = answer.json
    return found


def made(service: HttpService, **fields: Any) -> dict[str, Any]:
    """A job that has ended."""
    created = service.ask("POST", "/v1/audio/jobs", fields)
    assert created.status == 201, created.json
    path = f"/v1/audio/jobs/{created.json['id']}"
    until(lambda: service.ask("GET", path).json["status"] in ("completed", "failed"), timeout_s=90)
    view: dict[str, Any] = service.ask("GET", path).json
    return view


@pytest.mark.parametrize("form", FORMS)
def test_a_book_of_every_form_lists_its_chapters(service: HttpService, form: str) -> None:
    book = put(service, FORMS[form])
    assert (book["object"], book["form"]) == ("audio.book", form)
    read = [chapter for chapter in book["chapters"] if chapter["read"]]
    assert [chapter["title"].casefold() for chapter in read][-1] == samples.CHAPTERS[-1].casefold()
    assert all(chapter["words"] > 5 and chapter["minutes"] >= 0.1 for chapter in read[-3:])
    assert time.time() + 80_000 < book["expires_at"] < time.time() + 90_000
    found = service.ask("GET", f"{PATH}/{book['id']}").json
    assert {**found, "expires_at": book["expires_at"]} == book
    assert put(service, FORMS[form])["id"] == book["id"], "the same file is one book"


def test_a_check_counts_what_is_chosen_and_what_is_left_out(service: HttpService) -> None:
    book = put(service, FORMS["epub"])
    matter = {chapter["matter"] for chapter in book["chapters"] if not chapter["read"]}
    assert matter == {"front matter", "back matter"}
    assert book["left_out"]["footnote"] == 1
    whole = check(service, book["id"])
    assert (whole["problems"], whole["form"]) == ([], "epub")
    assert [(each["name"], each["turns"] > 3) for each in whole["speakers"]] == [("Narrator", True)]
    assert whole["omitted"]["footnote"]["words"] > 0
    assert whole["omitted"]["front matter"]["count"] == 2
    part = check(service, book["id"], options={"chapters": "4"})
    assert 0 < part["words"] < whole["words"]
    assert part["segments"] < whole["segments"]
    assert part["omitted"]["chapter that is not chosen"]["count"] == 2


def test_quoted_speech_has_a_voice_of_its_own(service: HttpService) -> None:
    book = put(service, FORMS["epub"])
    found = check(service, book["id"], voices={"Quoted": "heron"})
    assert {each["name"]: each["voice"] for each in found["speakers"]}["Quoted"] == "heron"


@pytest.mark.http
def test_a_job_is_made_of_the_chosen_chapters(service: HttpService) -> None:
    book = put(service, FORMS["epub"])
    options = {"chapters": "3,5"}
    expected = check(service, book["id"], options=options)
    job = made(service, book=book["id"], id="two-chapters", options=options, voices={"Narrator": "wren"})
    assert (job["status"], job["segments"]) == ("completed", expected["segments"])
    chapters = service.ask("GET", "/v1/audio/jobs/two-chapters/chapters").json
    assert [chapter["title"] for chapter in chapters] == [samples.CHAPTERS[0], samples.CHAPTERS[2]]
    again = service.ask(
        "POST",
        "/v1/audio/jobs",
        {"book": book["id"], "id": "two-chapters", "options": options, "voices": {"Narrator": "wren"}},
    )
    assert again.status == 200
    request = {"id": "two-chapters", "options": options, "voices": {"Narrator": "wren"}}
    assert upload(service, "/v1/audio/jobs/upload", FORMS["epub"], request).status == 200
    assert check(service, book["id"], options=options)["segments_made"] == job["segments"]


@pytest.mark.http
def test_a_job_does_not_need_its_book_any_more(service: HttpService) -> None:
    book = put(service, FORMS["html"])["id"]
    job = made(service, book=book, voice="alloy")
    assert job["status"] == "completed"
    assert service.ask("DELETE", f"{PATH}/{book}").json["deleted"] is True
    assert service.ask("GET", f"{PATH}/{book}").status == 404
    assert service.ask("DELETE", f"{PATH}/{book}").status == 404
    assert service.ask("GET", f"/v1/audio/jobs/{job['id']}/content").status == 200
    for path in ("/v1/audio/check", "/v1/audio/jobs"):
        gone = service.ask("POST", path, {"book": book})
        assert (gone.status, gone.error["code"]) == (404, "not_found")


@pytest.mark.http
def test_one_voice_reads_an_uploaded_epub(service: HttpService) -> None:
    answer = upload(service, "/v1/audio/jobs/upload", FORMS["epub"], {"id": "epub-alloy", "voice": "alloy"})
    assert answer.status == 201, answer.json
    until(
        lambda: service.ask("GET", "/v1/audio/jobs/epub-alloy").json["status"] in ("completed", "failed"),
        timeout_s=90,
    )
    assert service.ask("GET", "/v1/audio/jobs/epub-alloy").json["status"] == "completed"
    assert len(service.ask("GET", "/v1/audio/jobs/epub-alloy/chapters").json) == 3


@pytest.mark.http
@pytest.mark.parametrize(
    ("data", "param"),
    [(b"", "file"), (b"PK\x03\x04 no archive", "input"), (b"\xff\xfe\x00\xd8", "input")],
)
def test_what_cannot_be_read_is_refused(service: HttpService, data: bytes, param: str) -> None:
    refused = upload(service, PATH, data)
    assert (refused.status, refused.error["param"]) == (400, param), refused.body


def test_either_a_script_or_a_book_is_given(service: HttpService) -> None:
    book = put(service, FORMS["md"])["id"]
    for path in ("/v1/audio/check", "/v1/audio/jobs"):
        for fields in ({}, {"book": book, "input": "Ann: Hello."}):
            refused: Answer = service.ask("POST", path, fields)
            assert (refused.status, refused.error["param"]) == (400, "input")
        for name in ("book_" + 40 * "0", "../x", "book_" + 40 * "g"):
            assert service.ask("POST", path, {"book": name}).status == 404
    chosen = service.ask("POST", "/v1/audio/check", {"book": book, "options": {"chapters": "99"}})
    assert (chosen.status, chosen.error["param"]) == (400, "chapters")


@pytest.mark.http
def test_a_book_is_its_clients_own(keyed: HttpService) -> None:
    ann, ben = bearer(keyed.key("ann-books")), bearer(keyed.key("ben-books"))
    book = put(keyed, FORMS["epub"], **ann)["id"]
    assert keyed.ask("GET", f"{PATH}/{book}", **ann).status == 200
    assert keyed.ask("GET", f"{PATH}/{book}", **ben).status == 404
    assert keyed.ask("DELETE", f"{PATH}/{book}", **ben).status == 404
    assert keyed.ask("POST", "/v1/audio/jobs", {"book": book}, **ben).status == 404
    assert keyed.ask("GET", f"{PATH}/{book}").status == 401
    assert upload(keyed, PATH, FORMS["epub"]).status == 401


def aged(store: Store, seconds: float) -> None:
    """Make all uploads older."""
    assert isinstance(store.objects, LocalObjects)
    for path, then_s, _ in list(store.objects.names("uploads")):
        os.utime(store.objects.root / path, (then_s - seconds, then_s - seconds))


def stored_books(store: Store) -> set[str]:
    return {name.rpartition("/")[2] for name, _, _ in store.objects.names("uploads")}


def put_one_by_one(store: Store, books: ClientBooks, contents: Iterable[bytes]) -> list[str]:
    """Store books, each later than the one before; returns their IDs."""
    found = []
    for data in contents:
        aged(store, 1)
        found.append(books.put(data).id)
    return found


def test_the_reconciler_deletes_expired_books(tmp_path: Path) -> None:
    with make_app(Settings(state=tmp_path, metering=False), "memory://") as app:
        store = app.resources.jobs.store
        old = ClientBooks(store, Client("ben")).put(b"old")
        aged(store, RETENTION_S + 1)
        young = ClientBooks(store, Client("ann")).put(b"young")
        assert stored_books(store) == {old.id, young.id}, "no upload deletes those of others"
        app.tasks["voxchord.reconcile"]()
        assert stored_books(store) == {young.id}


def test_the_oldest_books_of_a_client_make_room(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    other = ClientBooks(store, Client("ben")).put(b"another client's")
    ann = ClientBooks(store, Client("ann"))
    books = put_one_by_one(store, ann, (str(number).encode() for number in range(BOOKS_MAX + 1)))
    assert stored_books(store) == {other.id, *books[1:]}
    assert ann.find(books[-1]).data == str(BOOKS_MAX).encode()


@pytest.mark.parametrize("limit", [{"bytes_max": 1 << 20}, slow({})], ids=["a small limit", "the default"])
def test_the_books_of_a_client_are_bounded_in_bytes(tmp_path: Path, limit: dict[str, int]) -> None:
    store = Store(str(tmp_path))
    ann, bytes_max = ClientBooks(store, Client("ann"), **limit), limit.get("bytes_max", BYTES_MAX)
    large = bytes_max // 4
    books = put_one_by_one(store, ann, (bytes([number]) * large for number in range(5)))
    assert stored_books(store) == set(books[2:]), "with its header each is a little more than a quarter"
    (alone,) = put_one_by_one(store, ann, [b"x" * bytes_max])
    assert stored_books(store) == {alone}, "the newest one stays, whatever its size"


@pytest.mark.http
def test_a_changed_line_of_a_book_leaves_its_chapters_and_other_segments(service: HttpService) -> None:
    book = put(service, FORMS["epub"])
    voices = {"Narrator": "wren", "Quoted": "heron"}
    job = made(service, book=book["id"], voices=voices, response_format="m4b", options={"seed": 7})
    script = service.ask("GET", f"/v1/audio/jobs/{job['id']}/script").json["request"]
    script["input"][-1]["text"] = "They went home in the dark, and said nothing."
    changed = made(service, **script, base_job=job["id"])
    assert changed["status"] == "completed"
    one, other = (service.ask("GET", f"/v1/audio/jobs/{each['id']}/chapters").json for each in (job, changed))
    assert [chapter["title"] for chapter in other] == [chapter["title"] for chapter in one]
    found = service.ask("GET", f"/v1/audio/jobs/{job['id']}/comparison?other={changed['id']}").json
    assert len(found["changes"]) == len(found["segments"]["b"]) == 1
    content = service.ask("GET", f"/v1/audio/jobs/{changed['id']}/content").body
    assert samples.AUTHOR.encode() in content, "the author is in the tags of the changed file, too"


@pytest.mark.http
def test_a_changed_line_of_a_book_without_a_name_leaves_the_cuts_at_its_chapters(
    service: HttpService,
) -> None:
    chapters = (
        "Chapter 1",
        "It rained on the roofs.",
        "Chapter 2",
        "Nuala stayed in.",
        "Chapter 3",
        "It stopped.",
    )
    book = put(service, "\n\n".join(chapters).encode())
    lexicon = {"Nuala": "Noola"}
    job = made(service, book=book["id"], form="text", lexicon=lexicon, options={"seed": 9})
    assert job["segments"] == 3
    script = service.ask("GET", f"/v1/audio/jobs/{job['id']}/script").json["request"]
    assert script["lexicon"] == lexicon
    script["input"][-1]["text"] = "It stopped at noon."
    changed = made(service, **script, base_job=job["id"])
    found = service.ask("GET", f"/v1/audio/jobs/{job['id']}/comparison?other={changed['id']}").json
    assert len(found["changes"]) == len(found["segments"]["b"]) == 1
    assert changed["segments"] == 3
