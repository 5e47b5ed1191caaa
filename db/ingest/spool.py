"""Spool: local files in which processes leave rows for the writer.

The folder holds one file per process with one JSON line per row, each appended by one system call. A file is
locked (`flock`) while its process may write to it; an unlocked file can be deleted once it is drained.
Nothing here opens a database or raises: a row that cannot be written is counted as dropped.

This module does not import SQLAlchemy, so that processes that only run tasks need not load it.
"""

import fcntl
import json
import os
import threading
import time
import uuid
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from db import locked_files

SUFFIX = ".rows"
_DROPPED = "dropped.count"
_CLOSED = -1


class Spool:
    """Appends rows to this process' file. Safe for threads and forks.

    Args:
        folder: shared by the processes of one machine; created with mode 0700.
        rotate_bytes: size at which a file is closed and a new one opened, so that it can be deleted.
        max_bytes: size of the folder above which the oldest closed files are dropped.
    """

    def __init__(self, folder: Path, *, rotate_bytes: int = 4 << 20, max_bytes: int = 256 << 20) -> None:
        self.folder = folder
        self.rotate_bytes, self.max_bytes = rotate_bytes, max_bytes
        self.dropped = 0
        """Rows of this process that could not be written."""
        self._lock = threading.Lock()
        self._file = _CLOSED
        self._size = 0
        self._torn = False
        _spools.add(self)

    def append(self, table: str, row: dict[str, Any]) -> None:
        """Append one row of `table`. Never raises."""
        try:
            line = json.dumps({"t": table, "r": row}, separators=(",", ":"), default=str).encode()
            with self._lock:
                self._write(line + b"\n")
        except Exception:  # noqa: BLE001 - statistics never fail a task: a full disk or a bad value costs the row
            self.dropped += 1

    def close(self) -> None:
        """Close the file, so that it can be deleted once it is drained."""
        with self._lock:
            if self._file != _CLOSED:
                locked_files.close(self._file)
            self._file = _CLOSED

    def _after_fork(self) -> None:
        """Forget the parent's file and lock; a thread that does not exist here may hold the lock."""
        self._lock = threading.Lock()
        self._file = _CLOSED
        self.dropped = 0

    def _write(self, line: bytes) -> None:
        if self._file == _CLOSED or self._size >= self.rotate_bytes:
            self._rotate()
        if self._torn:  # the disk was full in the middle of a line: end the line, which the reader skips
            line = b"\n" + line
        self._torn = True
        written = os.write(self._file, line)
        self._size += written
        self._torn = written < len(line)
        if self._torn:
            raise OSError("short write")

    def _rotate(self) -> None:
        if self._file != _CLOSED:
            locked_files.close(self._file)
            self._file = _CLOSED
            _drop_oldest(self.folder, self.max_bytes)
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = f"{time.time_ns()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        making = self.folder / f"{name}.new"
        file = locked_files.open_file(making, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND)
        fcntl.flock(
            file, fcntl.LOCK_SH
        )  # before it gets its name, or others could take it for an abandoned file
        making.rename(self.folder / f"{name}{SUFFIX}")
        self._file, self._size, self._torn = file, 0, False


_spools: weakref.WeakSet[Spool] = weakref.WeakSet()
_leaders: "weakref.WeakSet[LeaderLock]" = weakref.WeakSet()


def _after_fork() -> None:
    for leader in _leaders:
        leader._lock = _CLOSED
    for spool in _spools:
        spool._after_fork()


os.register_at_fork(after_in_child=_after_fork)


class LeaderLock:
    """Leader lock of a folder's writers, held until the process releases it or dies."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = _CLOSED
        _leaders.add(self)

    def __enter__(self) -> "LeaderLock":
        return self

    def __exit__(self, *_: object) -> None:
        if self._lock != _CLOSED:
            locked_files.close(self._lock)
            self._lock = _CLOSED

    def held(self) -> bool:
        """True if this process leads; acquires the lock if it is free."""
        if self._lock != _CLOSED:
            return True
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = locked_files.open_file(self.folder.with_suffix(".lead"), os.O_RDWR | os.O_CREAT)
        except OSError:
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            locked_files.close(lock)
            return False
        self._lock = lock
        return True


def files(folder: Path) -> list[Path]:
    """Files of the spool, oldest first."""
    try:
        return sorted(Path(entry.path) for entry in os.scandir(folder) if entry.name.endswith(SUFFIX))
    except FileNotFoundError:
        return []


class DrainLock:
    """Drain lock of one file, exclusive across processes. Use `take`.

    The offset (bytes drained so far) is in a file beside it, which is also the lock.
    """

    def __init__(self, path: Path, lock: int, offset: int) -> None:
        self.path, self._lock, self.offset = path, lock, offset

    def read(self, limit: int) -> tuple[list[bytes], int]:
        """Read complete lines after the offset, up to about `limit` bytes; returns the new offset too."""
        with self.path.open("rb") as file:
            file.seek(self.offset)
            data = file.read(limit)
            if data and b"\n" not in data:
                data += file.readline()
        end = data.rfind(b"\n") + 1
        return data[:end].splitlines(), self.offset + end

    def advance(self, offset: int) -> None:
        """Record that everything before `offset` is in the database."""
        os.pwrite(self._lock, f"{offset:020d}".encode(), 0)
        self.offset = offset

    def delete_if_done(self) -> bool:
        """Delete the file if its process is dead and no complete line is left."""
        with locked_files.opened(self.path) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            if b"\n" in _rest(file, self.offset):
                return False
        self.delete()
        return True

    def delete(self) -> None:
        self.path.unlink(missing_ok=True)
        _offset_path(self.path).unlink(missing_ok=True)

    def release(self) -> None:
        locked_files.close(self._lock)


def _rest(file: int, offset: int) -> bytes:
    return os.pread(file, max(0, os.fstat(file).st_size - offset), offset)


def take(path: Path) -> DrainLock | None:
    """Acquire a file's drain lock; None if another process holds it or the file is gone."""
    lock = locked_files.open_file(_offset_path(path), os.O_CREAT | os.O_RDWR)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        locked_files.close(lock)
        return None
    if not path.exists():
        _offset_path(path).unlink(missing_ok=True)
        locked_files.close(lock)
        return None
    text = os.pread(lock, 20, 0)
    return DrainLock(path, lock, int(text) if len(text) == 20 and text.isdigit() else 0)


def dropped(folder: Path) -> int:
    """Number of rows dropped because the spool was full."""
    try:
        return sum(int(line) for line in (folder / _DROPPED).read_text().split())
    except FileNotFoundError:
        return 0


def pending_bytes(folder: Path) -> int:
    """Spooled bytes that are not in the database."""
    return sum(size - offset for _path, size, offset in _sizes(folder))


def _offset_path(path: Path) -> Path:
    return path.with_suffix(".offset")


def _sizes(folder: Path) -> Iterator[tuple[Path, int, int]]:
    for path in files(folder):
        try:
            size = path.stat().st_size
        except FileNotFoundError:
            continue
        try:
            text = _offset_path(path).read_bytes()
        except FileNotFoundError:
            text = b""
        yield path, size, int(text) if text.isdigit() else 0


def _drop_oldest(folder: Path, max_bytes: int) -> None:
    """Drop closed files, oldest first, until the limit is met, and count their rows."""
    found = list(_sizes(folder))
    total = sum(size for _path, size, _offset in found)
    for path, size, _offset in found:
        if total <= max_bytes:
            return
        turn = take(path)
        if turn is None:
            continue
        try:
            with locked_files.opened(path) as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                lost = _rest(file, turn.offset).count(b"\n")
            turn.delete()
            _count_dropped(folder, lost)
            total -= size
        except BlockingIOError:
            continue
        finally:
            turn.release()


def _count_dropped(folder: Path, rows: int) -> None:
    file = os.open(folder / _DROPPED, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    try:
        os.write(file, b"%d\n" % rows)
    finally:
        os.close(file)
