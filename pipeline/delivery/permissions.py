"""Permissions of files: those of the service are private, delivered ones follow the user's umask."""

import contextlib
import os
import re
import stat
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path

_user_umask: ContextVar[int | None] = ContextVar("user_umask", default=None)


def make_private() -> None:
    """Make all new files of this process private, and remember the user's umask for delivered ones."""
    _user_umask.set(os.umask(0o077))


@contextlib.contextmanager
def permissions_of(folder: Path) -> Iterator[None]:
    """Deliver files that those can read who can read a folder."""
    given = _user_umask.set(0o777 & ~stat.S_IMODE(folder.stat().st_mode))
    try:
        yield
    finally:
        _user_umask.reset(given)


def user_umask() -> int:
    """Umask with which the command was started."""
    remembered = _user_umask.get()
    return _current_umask() if remembered is None else remembered


def file_mode() -> int:
    """Mode of a delivered file."""
    return 0o666 & ~user_umask()


def make_folders(folder: Path) -> None:
    """Create a folder and its missing parents with the user's umask.

    Raises:
        OSError: one cannot be created, or is no folder.
    """
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir(exist_ok=True)
        inherited = stat.S_IMODE(each.stat().st_mode) & stat.S_ISGID
        each.chmod(inherited | (0o777 & ~user_umask()))
    if not folder.is_dir():
        raise NotADirectoryError(20, os.strerror(20), str(folder))


def _current_umask() -> int:
    """Umask of this process, which cannot be asked for without changing it for other threads."""
    found = re.search(r"^Umask:\s*([0-7]+)", Path("/proc/self/status").read_text(), re.MULTILINE)
    return int(found[1], 8) if found else 0o077
