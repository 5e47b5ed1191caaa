"""Flight recorder: the running attempts of a process, readable after it was killed.

Each process that runs tasks has one small file with a slot per running attempt. A slot is filled at the start
of the attempt, renewed while it runs and cleared at its end. The file is locked while the process lives. An
unlocked file with filled slots holds attempts of a dead process, with their last known figures.
"""

import fcntl
import json
import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from db import locked_files

_SUFFIX = ".open"
_SLOT_BYTES = 4096


class Recorder:
    """The recorder file of the creating process."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = f"{os.getppid()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        making = folder / f"{name}.new"
        self._file = os.open(making, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
        fcntl.flock(self._file, fcntl.LOCK_EX)
        making.rename(folder / f"{name}{_SUFFIX}")
        self._free: list[int] = []
        self._slots = 0

    def begin(self, record: dict[str, Any]) -> int:
        """Reserve a slot and fill it."""
        if self._free:
            slot = self._free.pop()
        else:
            slot = self._slots
            self._slots += 1
        self.renew(slot, record)
        return slot

    def renew(self, slot: int, record: dict[str, Any]) -> None:
        data = json.dumps(record, separators=(",", ":"), default=str).encode() + b"\n"
        if len(data) <= _SLOT_BYTES:  # else the previous record remains
            os.pwrite(self._file, data, slot * _SLOT_BYTES)

    def end(self, slot: int) -> None:
        os.pwrite(self._file, b"\n", slot * _SLOT_BYTES)
        self._free.append(slot)

    def close(self) -> None:
        os.close(self._file)


class OrphanedRecords:
    """The recorder file of a dead process."""

    def __init__(self, path: Path) -> None:
        self.path = path
        parent, pid, _ = path.stem.split("-")
        self.parent_pid, self.pid = int(parent), int(pid)
        self.last_sign = path.stat().st_mtime
        """Time of the process' last write, in seconds since the epoch."""

    def records(self) -> list[dict[str, Any]]:
        """Attempts that were running, with their last known figures."""
        data = self.path.read_bytes()
        found = []
        for start in range(0, len(data), _SLOT_BYTES):
            slot, _, _stale = data[start : start + _SLOT_BYTES].partition(b"\n")
            if slot:
                try:
                    found.append(json.loads(slot))
                except ValueError:  # killed in the middle of the write
                    continue
        return found

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)


def orphaned_records(folder: Path) -> Iterator[OrphanedRecords]:
    """Recorders of dead processes. Each is locked against other sweepers while the caller reads it."""
    for path in sorted(folder.glob(f"*{_SUFFIX}")):
        try:
            file = locked_files.open_file(path, os.O_RDONLY)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.exists():
                yield OrphanedRecords(path)
        except BlockingIOError:
            continue
        finally:
            locked_files.close(file)
    for path in folder.glob("*.new"):  # killed between creating and renaming the file
        if time.time() - path.stat().st_mtime > 60:
            path.unlink(missing_ok=True)
