"""The spool: where a process leaves its rows for the writer.

A folder of files, one per process, one JSON line per row, appended by one system call. A file is locked
(`flock`) as long as its process may write to it, so that whoever empties it knows when it may be deleted.
Nothing here opens a database, and nothing here raises: what can't be written is counted as dropped.

This module imports no SQLAlchemy: a process that only runs tasks doesn't pay for it.
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

SUFFIX = ".rows"
_DROPPED = "dropped.count"
_CLOSED = -1


class Spool:
    """Appends rows to this process' file. Safe in threads and over a fork.

    Args:
        folder: shared by the processes of one machine; made with mode 0700.
        rotate_bytes: a file that grew to this is closed and another begun, so that it can be deleted.
        max_bytes: above this the oldest closed files are dropped, whole.
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
        """Leave one row for `table`. Never raises."""
        try:
            line = json.dumps({"t": table, "r": row}, separators=(",", ":"), default=str).encode()
            with self._lock:
                self._write(line + b"\n")
        except Exception:  # noqa: BLE001 - statistics never fail a task: a full disk or an odd value costs the row
            self.dropped += 1

    def close(self) -> None:
        """Let go of the file, so that it can be deleted once it is empty."""
        with self._lock:
            if self._file != _CLOSED:
                os.close(self._file)
            self._file = _CLOSED

    def _after_fork(self) -> None:
        """The file is the parent's, and the lock may be held by a thread that doesn't exist here."""
        if self._file != _CLOSED:
            os.close(self._file)
        self._lock = threading.Lock()
        self._file = _CLOSED
        self.dropped = 0

    def _write(self, line: bytes) -> None:
        if self._file == _CLOSED or self._size >= self.rotate_bytes:
            self._rotate()
        if self._torn:  # the disk was full in the middle of a line: end it, the reader skips it
            line = b"\n" + line
        self._torn = True
        written = os.write(self._file, line)
        self._size += written
        self._torn = written < len(line)
        if self._torn:
            raise OSError("short write")

    def _rotate(self) -> None:
        if self._file != _CLOSED:
            os.close(self._file)
            self._file = _CLOSED
            _drop_oldest(self.folder, self.max_bytes)
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = f"{time.time_ns()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        making = self.folder / f"{name}.new"
        file = os.open(making, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND, 0o600)
        fcntl.flock(file, fcntl.LOCK_SH)  # before it gets its name: nobody may find it and think it abandoned
        making.rename(self.folder / f"{name}{SUFFIX}")
        self._file, self._size, self._torn = file, 0, False


_spools: weakref.WeakSet[Spool] = weakref.WeakSet()
_leads: "weakref.WeakSet[Lead]" = weakref.WeakSet()


def _after_fork() -> None:
    for lead in _leads:
        lead.__exit__()  # a child's copy of the lock would outlive the worker
    for spool in _spools:
        spool._after_fork()


os.register_at_fork(after_in_child=_after_fork)


class Lead:
    """The right to look often: held by one writer of a folder until its process lets go or dies."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = _CLOSED
        _leads.add(self)

    def __enter__(self) -> "Lead":
        return self

    def __exit__(self, *_: object) -> None:
        if self._lock != _CLOSED:
            os.close(self._lock)
            self._lock = _CLOSED

    def held(self) -> bool:
        """Whether it is ours now; takes it if nobody has it."""
        if self._lock != _CLOSED:
            return True
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(self.folder.with_suffix(".lead"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            return False
        self._lock = lock
        return True


def files(folder: Path) -> list[Path]:
    """The spool's files, oldest first."""
    try:
        return sorted(Path(entry.path) for entry in os.scandir(folder) if entry.name.endswith(SUFFIX))
    except FileNotFoundError:
        return []


class Turn:
    """The right to empty one file: one holder at a time, over all processes. Use `take`.

    The offset (bytes taken so far) lies beside the file, and that file is the lock.
    """

    def __init__(self, path: Path, lock: int, offset: int) -> None:
        self.path, self._lock, self.offset = path, lock, offset

    def read(self, limit: int) -> tuple[list[bytes], int]:
        """Whole lines after the offset, up to about `limit` bytes, and the offset after them."""
        with self.path.open("rb") as file:
            file.seek(self.offset)
            data = file.read(limit)
            if data and b"\n" not in data:
                data += file.readline()
        end = data.rfind(b"\n") + 1
        return data[:end].splitlines(), self.offset + end

    def advance(self, offset: int) -> None:
        """Note that what lies before `offset` is safe elsewhere."""
        os.pwrite(self._lock, f"{offset:020d}".encode(), 0)
        self.offset = offset

    def delete_if_done(self) -> bool:
        """Delete the file if its process is gone and no whole line is left."""
        with self.path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            file.seek(self.offset)
            if b"\n" in file.read():
                return False
        self.delete()
        return True

    def delete(self) -> None:
        self.path.unlink(missing_ok=True)
        _offset_path(self.path).unlink(missing_ok=True)

    def release(self) -> None:
        os.close(self._lock)


def take(path: Path) -> Turn | None:
    """Take a file's turn; None while another has it, or when the file is gone."""
    lock = os.open(_offset_path(path), os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    if not path.exists():
        _offset_path(path).unlink(missing_ok=True)
        os.close(lock)
        return None
    text = os.pread(lock, 20, 0)
    return Turn(path, lock, int(text) if len(text) == 20 and text.isdigit() else 0)


def dropped(folder: Path) -> int:
    """Rows that were dropped because the spool was full."""
    try:
        return sum(int(line) for line in (folder / _DROPPED).read_text().split())
    except FileNotFoundError:
        return 0


def pending_bytes(folder: Path) -> int:
    """Bytes that wait for the database."""
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
    """Make room: drop whole files of processes that have moved on, oldest first, and count their rows."""
    found = list(_sizes(folder))
    total = sum(size for _path, size, _offset in found)
    for path, size, _offset in found:
        if total <= max_bytes:
            return
        turn = take(path)
        if turn is None:
            continue
        try:
            with path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                file.seek(turn.offset)
                lost = file.read().count(b"\n")
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
