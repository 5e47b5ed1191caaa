"""Files of books over HTTP: archives of chapters and of parts, and read-along books."""

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
from mutagen.mp3 import MP3
from mutagen.mp4 import MP4

from bench.harness.http_service import Answer, HttpService
from bench.harness.waiting import until
from tests.books import samples
from tests.books.probe import epubcheck
from tests.web.uploads import upload

JOBS = "/v1/audio/jobs"
pytestmark = pytest.mark.http


def content(service: HttpService, job: str, query: str = "", **headers: str) -> Answer:
    return service.ask("GET", f"{JOBS}/{job}/content{query}", **headers)


def rendered(service: HttpService, **request: Any) -> dict[str, Any]:
    """A finished job of an uploaded EPUB."""
    created = upload(service, f"{JOBS}/upload", samples.epub(3), {"options": {"seed": 3}, **request})
    assert created.status == 201, created.json
    return ended(service, created.json["id"])


def ended(service: HttpService, name: str) -> dict[str, Any]:
    view: dict[str, Any] = {}

    def has_ended() -> bool:
        view.update(service.ask("GET", f"{JOBS}/{name}").json)
        return view["status"] in ("completed", "failed")

    until(has_ended, timeout_s=120)
    assert view["status"] == "completed", view["error"]
    return view


def test_an_archive_has_a_file_per_chapter_and_ranges(service: HttpService) -> None:
    job = rendered(service, response_format="mp3.zip")
    whole = content(service, job["id"])
    assert whole.headers["content-type"] == "application/zip"
    assert f'filename="{job["id"]}.mp3.zip"' in whole.headers["content-disposition"]
    with zipfile.ZipFile(io.BytesIO(whole.body)) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        files = [name for name in names if name.endswith(".mp3")]
        assert {"playlist.m3u8", "cover.png"} <= set(names)
        tags = [MP3(io.BytesIO(archive.read(name))) for name in files]
    chapters = service.ask("GET", f"{JOBS}/{job['id']}/chapters").json
    assert [str(each["TIT2"]) for each in tags] == [each["title"] for each in chapters]
    assert sum(each.info.length for each in tags) == pytest.approx(job["duration_s"], abs=0.2)
    part = content(service, job["id"], Range="bytes=100-199")
    assert (part.status, part.body) == (206, whole.body[100:200])
    tail = content(service, job["id"], Range="bytes=-50", If_Range=whole.headers["etag"])
    assert (tail.status, tail.body) == (206, whole.body[-50:])


def test_an_archive_is_split_by_hours_and_its_script_makes_it_again(service: HttpService) -> None:
    hours = 0.002
    job = rendered(service, response_format="m4b.zip", split_hours=hours)
    with zipfile.ZipFile(io.BytesIO(content(service, job["id"]).body)) as archive:
        files = sorted(name for name in archive.namelist() if name.endswith(".m4b"))
        lengths_s = [MP4(io.BytesIO(archive.read(name))).info.length for name in files]
    assert len(files) > 1
    assert all("part" in name for name in files)
    assert sum(lengths_s) == pytest.approx(job["duration_s"], abs=0.1 * len(files))
    request = service.ask("GET", f"{JOBS}/{job['id']}/script").json["request"]
    assert (request["response_format"], request["split_hours"]) == ("m4b.zip", hours)


def test_hours_without_an_archive_are_refused_by_name(service: HttpService) -> None:
    for fields in ({}, {"response_format": "mp3"}):
        refused = service.ask("POST", JOBS, {"input": "Ann: Hello.", "split_hours": 2, **fields})
        assert (refused.status, refused.error["param"]) == (400, "split_hours")
        assert "mp3.zip" in refused.error["message"]


def test_the_start_of_a_running_archive_is_one_file(service: HttpService) -> None:
    text = "\n\n".join(
        f"Ann: Entry {n}. The tide had turned before we reached the quay, and so we went." for n in range(900)
    )
    fields = {"input": text, "response_format": "mp3.zip", "first_segment_words": 10, "options": {"seed": 77}}
    created = service.ask("POST", JOBS, fields)
    start: list[Answer] = []

    def has_start() -> bool:
        start[:] = [content(service, created.json["id"], "?so_far=true")]
        return start[0].status == 200

    until(has_start, timeout_s=60)
    service.ask("POST", f"{JOBS}/{created.json['id']}/cancel")
    assert start[0].headers["content-type"] == "audio/mpeg"
    assert MP3(io.BytesIO(start[0].body)).info.length > 1


def test_an_uploaded_epub_becomes_a_read_along_book(service: HttpService, tmp_path: Path) -> None:
    job = rendered(service, response_format="epub")
    answer = content(service, job["id"])
    assert answer.headers["content-type"] == "application/epub+zip"
    path = tmp_path / "book.epub"
    path.write_bytes(answer.body)
    assert epubcheck(path) == ""
    with zipfile.ZipFile(path) as book:
        overlays = [name for name in book.namelist() if name.endswith(".smil")]
        (audio,) = [name for name in book.namelist() if name.endswith((".m4b", ".m4a", ".mp4"))]
        length_s = MP4(io.BytesIO(book.read(audio))).info.length
    assert len(overlays) >= len(samples.CHAPTERS)
    assert length_s == pytest.approx(job["duration_s"], abs=0.2)
    part = content(service, job["id"], Range="bytes=0-57")
    assert (part.status, part.body) == (206, answer.body[:58])
    request = service.ask("GET", f"{JOBS}/{job['id']}/script").json["request"]
    assert request["response_format"] == "m4b", (
        "the words of another version are not those of the book's pages"
    )


def test_a_script_becomes_no_read_along_book(service: HttpService) -> None:
    created = service.ask("POST", JOBS, {"input": "Ann: Hello.", "response_format": "epub"})
    assert created.status == 201, created.json
    job = f"{JOBS}/{created.json['id']}"
    until(lambda: service.ask("GET", job).json["status"] == "failed", timeout_s=30)
    assert "made from an EPUB only" in service.ask("GET", job).json["error"]["message"]
