"""Tests of uploads to Audiobookshelf, on a server of its routes."""

from dataclasses import replace

import pytest

from pipeline.delivery.library import LibraryBook
from pipeline.jobs.jobs import Jobs
from pipeline.store.artifacts import Store
from tasks.handover.audiobookshelf import Audiobookshelf
from tasks.notification.errors import NotDeliveredError
from tasks.settings import Settings
from tests.books import samples
from tests.books.audiobookshelf_server import KEY, AudiobookshelfServer
from tests.books.probe import probe
from tests.tasks.handover.finished_books import (
    CHAPTER_FILES,
    PLACE,
    FinishedBook,
    files,
    hand_over,
    settings_of,
)


def test_audiobookshelf_gets_an_m4b(book: FinishedBook, server: AudiobookshelfServer) -> None:
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


def test_audiobookshelf_gets_the_files_of_chapters(
    archive: FinishedBook, server: AudiobookshelfServer
) -> None:
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
    book: FinishedBook, server: AudiobookshelfServer, settings: dict[str, str], reason: str
) -> None:
    with pytest.raises(NotDeliveredError, match=reason):
        hand_over(settings_of(server, **settings), book)
    assert server.uploads == []


def test_libraries_are_found_by_name_and_by_id(book: FinishedBook, server: AudiobookshelfServer) -> None:
    for library in ("Books", "lib_Books"):
        found = Audiobookshelf(server.url, KEY, library, str(server.folder))
        assert found.place() == f"Books ({server.folder})"


def test_refusals_are_reported_without_the_key(book: FinishedBook, server: AudiobookshelfServer) -> None:
    for key, reason in (("wrong-key", "answers 401 Unauthorized"), (KEY, "answers 403 Forbidden")):
        server.may_upload = False
        settings = Settings(audiobookshelf_url=server.url, audiobookshelf_key=key)
        with pytest.raises(NotDeliveredError, match=reason) as refused:
            hand_over(settings, book)
        assert key not in str(refused.value)
    gone = Settings(audiobookshelf_url="http://127.0.0.1:1", audiobookshelf_key=KEY)
    with pytest.raises(NotDeliveredError, match=r"127\.0\.0\.1:1: ConnectError"):
        hand_over(gone, book)


def test_no_book_is_copied_for_a_server_that_is_away(book: FinishedBook) -> None:
    lost = {**book.manifest, "audio": {**book.manifest["audio"], "name": "jobs/none"}}
    away = Settings(audiobookshelf_url="http://127.0.0.1:1", audiobookshelf_key=KEY)
    with pytest.raises(NotDeliveredError, match="ConnectError"):
        hand_over(away, replace(book, manifest=lost))


def test_a_page_of_a_proxy_is_no_answer(book: FinishedBook, server: AudiobookshelfServer) -> None:
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
def test_lists_of_other_programs_are_refused(
    book: FinishedBook, server: AudiobookshelfServer, listing: str
) -> None:
    server.listing = listing
    with pytest.raises(NotDeliveredError, match="libraries"):
        hand_over(settings_of(server), book)
    assert server.uploads == []


def test_books_of_others_on_the_server_are_not_replaced(
    book: FinishedBook, server: AudiobookshelfServer
) -> None:
    (server.folder / PLACE).mkdir(parents=True)
    elsewhere = Jobs(Store(f"{book.jobs.store.url}-fresh"))
    with pytest.raises(NotDeliveredError, match="has another book as 'Ann Author/"):
        Audiobookshelf(server.url, KEY).upload(
            elsewhere.store, LibraryBook(samples.TITLE, samples.AUTHOR, samples.SERIES), {}
        )
