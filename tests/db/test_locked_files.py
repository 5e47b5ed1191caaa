"""Tests of locks that a process holds while it forks."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from bench.harness.forked import FORKS
from db.database import _only_one, open_database
from db.ingest import spool
from tasks.metering.flight_recorder import orphaned_records


@contextmanager
def drained(folder: Path) -> Iterator[None]:
    turn = spool.take(folder / "1.rows")
    assert turn
    yield
    turn.release()


@contextmanager
def led(folder: Path) -> Iterator[None]:
    with spool.LeaderLock(folder) as leader:
        assert leader.held()
        yield


@contextmanager
def swept(folder: Path) -> Iterator[None]:
    found = orphaned_records(folder)
    assert next(found, None) is not None
    yield
    found.close()  # type: ignore[attr-defined]  # a generator


@contextmanager
def migrated(folder: Path) -> Iterator[None]:
    engine = open_database(f"sqlite:///{folder}/history.db")
    with _only_one(engine):
        yield
    engine.dispose()


@pytest.mark.parametrize("lock", [drained, led, swept, migrated])
def test_a_child_holds_no_lock_of_its_parent(
    lock: Callable[[Path], AbstractContextManager[None]], tmp_path: Path
) -> None:
    for name in ("1.rows", "1-2-abc.open"):
        (tmp_path / name).touch()
    process = FORKS.Process(target=_fork_while_locked, args=(lock, tmp_path))
    process.start()
    process.join(60)
    assert process.exitcode == 0


def _fork_while_locked(lock: Callable[[Path], AbstractContextManager[None]], folder: Path) -> None:
    signal.alarm(20)
    reading, writing = os.pipe()
    with lock(folder):
        child = os.fork()
        if not child:
            os.write(writing, b"forked")
            time.sleep(60)
            os._exit(0)
    os.read(reading, 6)
    try:
        with lock(folder):
            pass
    finally:
        os.kill(child, signal.SIGKILL)
