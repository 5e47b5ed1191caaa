"""Files that are open to be locked (`flock`), which forks close.

A lock belongs to the open file, which a fork shares: the copy of a child of a worker's pool would hold the
lock as long as the child lives, and nobody could take it meanwhile.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_open: set[int] = set()
_changing = threading.RLock()
"""Held by forks, too, so that none comes between the opening of a file and its registration."""


def open_file(path: Path, flags: int) -> int:
    """Open a file, private if it is created; returns its descriptor."""
    with _changing:
        descriptor = os.open(path, flags, 0o600)
        _open.add(descriptor)
    return descriptor


def close(descriptor: int) -> None:
    """Close a file that this process opened, and with it the lock."""
    with _changing:
        _open.discard(descriptor)
        os.close(descriptor)


@contextmanager
def opened(path: Path, flags: int = os.O_RDONLY) -> Iterator[int]:
    descriptor = open_file(path, flags)
    try:
        yield descriptor
    finally:
        close(descriptor)


def _close_in_child() -> None:
    for descriptor in _open:
        os.close(descriptor)
    _open.clear()
    _changing.release()


os.register_at_fork(
    before=_changing.acquire, after_in_parent=_changing.release, after_in_child=_close_in_child
)
