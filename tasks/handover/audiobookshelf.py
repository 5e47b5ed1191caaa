"""Upload to Audiobookshelf, by the routes that its own page uses.

GET /api/libraries lists the libraries with their folders, POST /api/filesystem/pathexists says if a book is
there, and POST /api/upload takes `title`, `author`, `series`, `library`, `folder` and the files `0`, `1`, …
(advplyr/audiobookshelf, server/controllers/MiscController.js). The server puts a book into
`author/series/title` of the library's folder and replaces files of the same name.
"""

import contextlib
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2

from pipeline.delivery.library import LibraryBook
from pipeline.store.artifacts import Store
from tasks.handover.errors import OccupiedError
from tasks.notification.errors import NotDeliveredError

_TIMEOUT = httpx2.Timeout(60.0, connect=10.0, read=600.0)
"""The server answers when it has moved the files."""
_REASON_MAX = 200


@dataclass(frozen=True, slots=True)
class Audiobookshelf:
    """A server, and where in it books are put."""

    url: str
    key: str = field(repr=False)
    library: str = ""
    """Name or ID of a library; empty for the only one of books."""
    folder: str = ""
    """Path or ID of a folder of the library; empty for the first one."""

    @property
    def host(self) -> str:
        return urlsplit(self.url).netloc.rpartition("@")[2]

    def place(self) -> str:
        """Find the library, and return its name.

        Raises:
            NotDeliveredError: as `upload`.
        """
        with self._client() as client:
            library, folder = self._place(client)
            return f"{library['name']} ({folder['fullPath']})"

    def upload(
        self, store: Store, book: LibraryBook, files: Mapping[str, Path], *, force: bool = False
    ) -> str:
        """Upload a book; returns the name of its library.

        Args:
            store: remembers which books voxchord has uploaded.
            files: files by their names.
            force: replace a book that voxchord did not upload.

        Raises:
            NotDeliveredError: the server does not answer or refuses it.
            OccupiedError: it has another book in its place.
        """
        directory = "/".join(book.folders)
        with self._client() as client:
            library, folder = self._place(client)
            record = self._record(folder["id"], directory)
            if not (force or store.has(record)) and self._exists(client, directory, folder["fullPath"]):
                reason = f"{self.host} has another book as {directory!r}"
                raise OccupiedError(f"{reason}; remove it there or use `handover JOB --force`")
            store.put(record, b"")
            with contextlib.ExitStack() as opened:
                parts = [
                    (str(number), (name, opened.enter_context(path.open("rb")), "application/octet-stream"))
                    for number, (name, path) in enumerate(files.items())
                ]
                fields = {
                    "title": book.title,
                    "author": book.author,
                    "series": book.series,
                    "library": library["id"],
                    "folder": folder["id"],
                }
                self._checked(client.post("/api/upload", data=fields, files=parts))
        return str(library["name"])

    @contextlib.contextmanager
    def _client(self) -> Iterator[httpx2.Client]:
        """
        Raises:
            NotDeliveredError: a request within failed.
        """
        headers = {"Authorization": f"Bearer {self.key}", "User-Agent": "voxchord"}
        try:
            with httpx2.Client(base_url=self.url.rstrip("/"), headers=headers, timeout=_TIMEOUT) as client:
                yield client
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise NotDeliveredError(f"{self.host}: {type(error).__name__}") from None

    def _place(self, client: httpx2.Client) -> tuple[dict[str, Any], dict[str, Any]]:
        """Library and folder by the settings."""
        libraries = [
            each
            for each in self._listed(client)
            if each["mediaType"] == "book"
            and (not self.library or self.library in (each["id"], each["name"]))
        ]
        if len(libraries) != 1:
            found = f"{len(libraries)} libraries of books" + (f" {self.library!r}" if self.library else "")
            raise NotDeliveredError(f"{self.host} has {found}; correct VOXCHORD_AUDIOBOOKSHELF_LIBRARY")
        folders = libraries[0]["folders"]
        chosen = [each for each in folders if self.folder in ("", each["id"], each["fullPath"])]
        if not chosen:
            reason = f"{self.host} has no folder {self.folder!r} in the library {libraries[0]['name']!r}"
            raise NotDeliveredError(f"{reason}; correct VOXCHORD_AUDIOBOOKSHELF_FOLDER")
        return libraries[0], chosen[0]

    def _listed(self, client: httpx2.Client) -> list[dict[str, Any]]:
        found = self._object(client.get("/api/libraries")).get("libraries") or ()
        try:
            return [
                {
                    "id": str(each["id"]),
                    "name": str(each["name"]),
                    "mediaType": str(each.get("mediaType", "book")),
                    "folders": [
                        {"id": str(part["id"]), "fullPath": str(part["fullPath"])} for part in each["folders"]
                    ],
                }
                for each in found
            ]
        except (TypeError, KeyError, AttributeError):
            raise NotDeliveredError(f"{self.host} lists no libraries; is it Audiobookshelf?") from None

    def _exists(self, client: httpx2.Client, directory: str, folder: str) -> bool:
        """True if the server has a book in a directory of a folder."""
        asked = {"directory": directory, "folderPath": folder}
        return bool(self._object(client.post("/api/filesystem/pathexists", json=asked)).get("exists"))

    def _object(self, answer: httpx2.Response) -> dict[str, Any]:
        """JSON object of an answer; a proxy may answer with a page of its own."""
        try:
            found = self._checked(answer).json()
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise NotDeliveredError(f"{self.host} answers with no JSON object; is it Audiobookshelf?")
        return found

    def _checked(self, answer: httpx2.Response) -> httpx2.Response:
        if answer.status_code == 200:
            return answer
        text = " ".join(answer.text.split())[:_REASON_MAX]
        raise NotDeliveredError(f"{self.host} answers {answer.status_code} {text}".rstrip())

    def _record(self, folder: str, directory: str) -> str:
        """Name of the record that voxchord has uploaded a book."""
        place = f"{self.url.rstrip('/')} {folder} {directory}"
        return f"delivered/{hashlib.sha256(place.encode()).hexdigest()[:32]}"
