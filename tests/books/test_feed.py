"""Feeds of finished jobs, published by a real web server and read back by feedparser and ffprobe."""

import json
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import feedparser
import pytest

from pipeline.books.reader import read
from pipeline.delivery.feed import Channel, Episode, chapters_json, feed
from pipeline.jobs.jobs import Jobs
from pipeline.script.parser import parse
from pipeline.store.artifacts import Store
from tests.books import samples
from tests.books.probe import probe
from tests.books.rendering import made
from tests.cli.conftest import Run

CHANNEL = Channel("https://example.org/books/", "Books")


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def publishing(folder: Path) -> Iterator[str]:
    """Publish a folder on loopback; yields its address."""
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


def fetched(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - http of the test itself
        data: bytes = answer.read()
    return data


@pytest.fixture
def manifests(tmp_path: Path) -> list[dict[str, Any]]:
    """Finished jobs: a book, and a script without metadata."""
    jobs = Jobs(Store(str(tmp_path / "state" / "store")))
    book, _ = made(jobs, read(samples.epub(3)), format="m4b")
    script, _ = made(jobs, parse("Anna: Hello."), format="mp3", title="Tide & <Time>")
    return [book, script]


def test_a_published_feed_is_read_back(ask: Run, manifests: list[dict[str, Any]], tmp_path: Path) -> None:
    folder = tmp_path / "site"
    book, script = (manifest["job"] for manifest in manifests)
    with publishing(folder) as url:
        done = ask("feed", book, script[:8], "-o", folder, "--base-url", url)
        assert done.returncode == 0, done.stderr
        found = feedparser.parse(fetched(f"{url}feed.xml"))
        assert not found.bozo
        assert found.version == "rss20"
        channel = found.feed
        assert (channel.title, channel.author, channel.language) == (samples.SERIES, samples.AUTHOR, "en")
        assert [each.term for each in channel.tags] == ["Arts", "Books"]
        assert channel.image.href == f"{url}{book}.png"
        entries = {entry.id: entry for entry in found.entries}
        assert set(entries) == {f"urn:voxchord:{book}", f"urn:voxchord:{script}"}

        read_back, plain = entries[f"urn:voxchord:{book}"], entries[f"urn:voxchord:{script}"]
        assert (read_back.title, read_back.author) == (samples.TITLE, samples.AUTHOR)
        assert plain.title == "Tide & <Time>"
        assert "podcast_chapters" not in plain
        for entry, manifest, kind in (
            (read_back, manifests[0], "audio/mp4"),
            (plain, manifests[1], "audio/mpeg"),
        ):
            assert entry.published_parsed.tm_year >= 2024
            (enclosure,) = entry.enclosures
            data = fetched(enclosure.href)
            assert (enclosure.type, int(enclosure.length)) == (kind, len(data))
            assert len(data) == manifest["audio"]["bytes"]
            (tmp_path / "episode").write_bytes(data)
            length_s = float(probe(tmp_path / "episode")["format"]["duration"])
            assert int(entry.itunes_duration) == pytest.approx(length_s, abs=0.6)
            assert fetched(entry.podcast_transcript["url"]).startswith(b"WEBVTT")
            assert entry.podcast_transcript["type"] == "text/vtt"

        assert read_back.podcast_chapters["type"] == "application/json+chapters"
        chapters = json.loads(fetched(read_back.podcast_chapters["url"]))["chapters"]
        assert [chapter["title"] for chapter in chapters] == list(samples.CHAPTERS)
        starts = [float(each["start_time"]) for each in probe(folder / f"{book}.m4a")["chapters"]]
        assert [chapter["startTime"] for chapter in chapters] == pytest.approx(starts, abs=0.002)
        assert fetched(channel.image.href) == samples.png()


def test_feeds_are_stable_and_hold_the_named_jobs(
    ask: Run, manifests: list[dict[str, Any]], tmp_path: Path
) -> None:
    folder, url = tmp_path / "site", "https://example.org/books"
    folder.mkdir()
    (folder / "index.html").write_text("of the site")
    book, script = (manifest["job"] for manifest in manifests)
    arguments = ("-o", folder, "--base-url", url, "--title", "Ours")
    assert ask("feed", book, script, *arguments).returncode == 0
    first = (folder / "feed.xml").read_bytes()
    assert ask("feed", script, book, *arguments, "--author", samples.AUTHOR).returncode == 0
    assert (folder / "feed.xml").read_bytes() == first
    assert ask("feed", book, *arguments).returncode == 0
    names = ("chapters.json", "m4a", "png", "vtt")
    assert {path.name for path in folder.iterdir()} == {
        *(f"{book}.{name}" for name in names),
        *("feed.xml", "index.html"),
    }
    for address, reason in (
        ("example.org", "is no http or https address"),
        ("http://[example.org", "is no http or https address"),
        ("https://example.org/?key=1", "is not that of a folder"),
        ("https://example.org/my books/", "is not that of a folder"),
    ):
        refused = ask("feed", book, "-o", folder, "--base-url", address)
        assert refused.returncode == 3
        assert reason in refused.stderr


def test_only_jobs_of_one_file_are_episodes(ask: Run, tmp_path: Path) -> None:
    jobs = Jobs(Store(str(tmp_path / "state" / "store")))
    manifest, _ = made(jobs, parse("Anna: Hello."), format="opus.zip")
    refused = ask("feed", manifest["job"], "-o", tmp_path / "site", "--base-url", "https://example.org")
    assert refused.returncode == 3
    assert "has format opus.zip, not one of mp3, m4b" in refused.stderr
    assert not (tmp_path / "site").exists()


def test_the_newest_episode_is_the_first_and_dates_are_those_of_rfc_822() -> None:
    episodes = [Episode(name, name, at_s, 61.4, "mp3", 5) for name, at_s in (("old", 1e9), ("new", 1.1e9))]
    found = feedparser.parse(feed(CHANNEL, episodes))
    assert [entry.title for entry in found.entries] == ["new", "old"]
    assert found.entries[1].published == "Sun, 09 Sep 2001 01:46:40 GMT"
    assert found.feed.updated == found.entries[0].published
    assert found.entries[0].itunes_duration == "61"
    assert feed(CHANNEL, episodes) == feed(CHANNEL, episodes[::-1])


def test_titles_are_text_whatever_they_hold() -> None:
    found = feedparser.parse(feed(CHANNEL, [Episode("a", "</title>A & B\x0b\ud800", 0.0, 1.0, "mp3", 5)]))
    assert not found.bozo
    assert found.entries[0].title == "</title>A & B"


def test_chapters_follow_the_namespaces_json() -> None:
    found = Episode("a", "A", 0.0, 9.0, "mp3", 5, chapters=(("One", 0.0, 4.25), ("Two", 4.25, 9.0)))
    assert json.loads(chapters_json(found)) == {
        "version": "1.2.0",
        "chapters": [
            {"startTime": 0.0, "endTime": 4.25, "title": "One"},
            {"startTime": 4.25, "endTime": 9.0, "title": "Two"},
        ],
    }
