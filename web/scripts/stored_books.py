"""Uploaded books of a client, in the store, for a day (see `pipeline.jobs.uploads`).

An ID is a hash of the content, so that the same file is one book. The reconciler deletes what has expired.
"""

import hashlib
import re
from dataclasses import dataclass

from pipeline import clock
from pipeline.books.reader import book_form, text_form
from pipeline.jobs.uploads import FOLDER, RETENTION_S
from pipeline.store.artifacts import Store
from web.access.clients import Client, owner_of
from web.errors import not_found

BOOKS_MAX = 20
BYTES_MAX = 256 << 20
"""Most books of a client, and bytes of all; the oldest ones are deleted, and never the newest."""
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

    def __init__(self, store: Store, client: Client, *, bytes_max: int = BYTES_MAX) -> None:
        self._store, self._folder, self._bytes_max = store, f"{FOLDER}/{owner_of(client)}", bytes_max

    def put(self, data: bytes) -> StoredBook:
        """Store a book for a day from now."""
        name = f"book_{hashlib.sha256(data).hexdigest()[:40]}"
        self._store.overwrite(f"{self._folder}/{name}", data)
        self._delete_excess()
        return StoredBook(name, data, clock.now() + RETENTION_S)

    def find(self, name: str) -> StoredBook:
        """Read a book.

        Raises:
            ApiError: 404, the client has none of this ID, or it has expired.
        """
        path = f"{self._folder}/{name}"
        modified_s = self._modified_s().get(path) if _ID.fullmatch(name) else None
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

    def _delete_excess(self) -> None:
        newest = sorted(self._store.objects.names(self._folder), key=lambda each: each[1], reverse=True)
        total = 0
        for position, (name, _, size) in enumerate(newest):
            total += size
            if position and (position >= BOOKS_MAX or total > self._bytes_max):
                self._store.objects.delete(name)

    def _modified_s(self) -> dict[str, float]:
        """Times of the stored books, by name."""
        return {name: modified_s for name, modified_s, _ in self._store.objects.names(self._folder)}
