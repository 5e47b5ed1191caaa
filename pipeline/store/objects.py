"""Protocol of a backend for the bytes of artifacts, and what its implementations share."""

import contextlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Protocol

from pipeline.errors import StoreError


class Objects(Protocol):
    """Where bytes lie. Names are relative POSIX paths."""

    def create(self, name: str, data: bytes) -> bool:
        """Write unless it exists; False if it does. Atomic."""
        ...

    def replace(self, name: str, data: bytes) -> None: ...
    def read(self, name: str) -> bytes | None: ...
    def read_range(self, name: str, start: int, end: int) -> bytes | None:
        """Bytes from `start` up to and without `end`; fewer where the object ends before."""
        ...

    def size(self, name: str) -> int | None: ...
    def delete(self, name: str) -> None: ...
    def names(self, prefix: str = "") -> Iterator[tuple[str, float, int]]:
        """(name, modified as seconds since the epoch, bytes) of all objects below a folder, or of all."""
        ...

    def put_file(self, path: Path, name: str) -> None:
        """Take over a file; the path may be gone afterwards."""
        ...

    def get_file(self, name: str, path: Path) -> None:
        """Copy an object to a path of this machine."""
        ...

    def tidy(self) -> None:
        """Remove emptied folders, where there are folders."""
        ...


MISSING = (FileNotFoundError, NotADirectoryError)


@contextlib.contextmanager
def answering(action: str, name: str, *expected: type[OSError]) -> Iterator[None]:
    """Whatever a file system or a service reports, as one error; but what is expected stays as it is."""
    try:
        yield
    except expected:
        raise
    except OSError as error:
        raise StoreError(f"can't {action} {name}: {error.strerror or type(error).__name__}") from error


def checked(name: str) -> PurePosixPath:
    """A name as a relative path.

    >>> checked("jobs/3f/plan")
    PurePosixPath('jobs/3f/plan')

    Raises:
        ValueError: it would lead out of the store.
    """
    path = PurePosixPath(name)
    if not path.parts or path.is_absolute() or ".." in path.parts:
        raise ValueError(f"not a name in the store: {name!r}")
    return path
