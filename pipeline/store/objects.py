"""Protocol of a store's backend, and functions shared by its implementations."""

import contextlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Protocol

from pipeline.errors import StoreError


class Objects(Protocol):
    """Backend of objects. Names are relative POSIX paths."""

    def create(self, name: str, data: bytes) -> bool:
        """Write unless the object exists; False if it does. Atomic."""
        ...

    def replace(self, name: str, data: bytes) -> None: ...
    def read(self, name: str) -> bytes | None: ...
    def read_range(self, name: str, start: int, end: int) -> bytes | None:
        """Read bytes from `start` to before `end`; fewer if the object is shorter."""
        ...

    def size(self, name: str) -> int | None: ...
    def delete(self, name: str) -> None: ...
    def names(self, prefix: str = "") -> Iterator[tuple[str, float, int]]:
        """List (name, modification time in seconds since the epoch, bytes) below a folder, or of all."""
        ...

    def put_file(self, path: Path, name: str) -> None:
        """Store a file; its path may be gone afterwards."""
        ...

    def get_file(self, name: str, path: Path) -> None:
        """Copy an object to a local path."""
        ...

    def tidy(self) -> None:
        """Remove empty folders, if the backend has folders."""
        ...


MISSING = (FileNotFoundError, NotADirectoryError)


@contextlib.contextmanager
def answering(action: str, name: str, *expected: type[OSError]) -> Iterator[None]:
    """Convert errors of a file system or service to StoreError, except the expected ones."""
    try:
        yield
    except expected:
        raise
    except OSError as error:
        raise StoreError(f"cannot {action} {name}: {error.strerror or type(error).__name__}") from error


def checked(name: str) -> PurePosixPath:
    """Convert a name to a relative path.

    >>> checked("jobs/3f/plan")
    PurePosixPath('jobs/3f/plan')

    Raises:
        ValueError: a path outside the store.
    """
    path = PurePosixPath(name)
    if not path.parts or path.is_absolute() or ".." in path.parts:
        raise ValueError(f"invalid name in the store: {name!r}")
    return path
