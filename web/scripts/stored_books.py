"""Uploaded books of a client, in the store, for a day.

uploads/<client>/<ID>    the book's file

An ID is a hash of the content, so that the same file is one book. Expired books of all clients are deleted
whenever a book is stored.
"""

import hashlib
import re
from dataclasses import dataclass

from pipeline import clock
from pipeline.books.reader import book_form, text_form
from pipeline.store.artifacts import Store
from web.access.clients import Client, owner_of
from web.errors import not_found

RETENTION_S = 86_400.0
BOOKS_MAX = 20
"""Most books of a client; the oldest ones are deleted."""
_FOLDER = "uploads"
_ID = re.compile(r"book_[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class StoredBook:
    """A book's file."""

    id: str
    data: bytes
    expires_s: float
    """Seconds since the epoch."""

    @property
    def form(self) -> str:
        """Form that is recognised by the content."""
        return form_of(self.data)


def form_of(data: bytes) -> str:
    """Form of a book; text is Markdown or plain text."""
    return book_form(data) or text_form(data)


class ClientBooks:
    """Books of one client."""

    def __init__(self, store: Store, client: Client) -> None:
        self._store, self._folder = store, f"{_FOLDER}/{owner_of(client)}"

    def put(self, data: bytes) -> StoredBook:
        """Store a book for a day from now."""
        name = f"book_{hashlib.sha256(data).hexdigest()[:40]}"
        self._store.overwrite(f"{self._folder}/{name}", data)
        self._delete_expired()
        return StoredBook(name, data, clock.now() + RETENTION_S)

    def find(self, name: str) -> StoredBook:
        """Read a book.

        Raises:
            ApiError: 404, the client has none of this ID, or it has expired.
        """
        path = f"{self._folder}/{name}"
        modified_s = dict(self._listed(self._folder)).get(path) if _ID.fullmatch(name) else None
        expires_s = (modified_s or 0.0) + RETENTION_S
        data = None if modified_s is None or expires_s < clock.now() else self._store.get(path)
        if data is None:
            raise not_found(f"book {name[:64]!r}")
        return StoredBook(name, data, expires_s)

    def remove(self, name: str) -> None:
        """Delete a book.

        Raises:
            ApiError: 404, the client has none of this ID.
        """
        self._store.objects.delete(f"{self._folder}/{self.find(name).id}")

    def _delete_expired(self) -> None:
        now = clock.now()
        expired = {name for name, modified_s in self._listed(_FOLDER) if now - modified_s > RETENTION_S}
        own = sorted(self._listed(self._folder), key=lambda each: each[1])
        for name in expired | {name for name, _ in own[:-BOOKS_MAX]}:
            self._store.objects.delete(name)

    def _listed(self, folder: str) -> list[tuple[str, float]]:
        """Names and times of the stored books."""
        return [(name, modified_s) for name, modified_s, _ in self._store.objects.names(folder)]
