"""Disturbances of a running fleet that last a while: messages, clocks, moods of its broker, its history."""

import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text

from bench.harness.fleet import Fleet
from bench.harness.malformed import MALFORMED
from bench.harness.services import Postgres

Disturbance = Callable[[Fleet, Postgres | None], AbstractContextManager[None]]
"""Begins when it is entered, and is over when it is left. The database is None for SQLite."""
_NEWER = "ffffffffffff"
"""A revision of the history's schema that no release has yet."""


def malformed(queue: str) -> Disturbance:
    """All malformed messages of the tests, in one queue."""

    @contextmanager
    def disturb(fleet: Fleet, database: Postgres | None) -> Iterator[None]:
        for message in MALFORMED.values():
            fleet.client.lpush(queue, message(queue))
        yield

    return disturb


def skewed(worker: str, ahead_s: float) -> Disturbance:
    """A worker that is killed, and starts again with a wrong clock."""

    @contextmanager
    def disturb(fleet: Fleet, database: Postgres | None) -> Iterator[None]:
        fleet.kill(worker)
        fleet.skews_s = {worker: ahead_s}
        fleet.start(worker)
        fleet.skews_s = {}
        yield

    return disturb


@contextmanager
def read_only(fleet: Fleet, database: Postgres | None) -> Iterator[None]:
    fleet.client.execute_command("REPLICAOF", "127.0.0.1", "1")
    yield
    fleet.client.execute_command("REPLICAOF", "NO", "ONE")


@contextmanager
def full(fleet: Fleet, database: Postgres | None) -> Iterator[None]:
    fleet.client.config_set("maxmemory", 1)
    yield
    fleet.client.config_set("maxmemory", 0)


@contextmanager
def clients_killed(fleet: Fleet, database: Postgres | None) -> Iterator[None]:
    fleet.client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    yield


@contextmanager
def purged(fleet: Fleet, database: Postgres | None) -> Iterator[None]:
    """Delete all messages of the stages; one of the intake would have to be sent again by its client."""
    for key in {key for key, _ in fleet.payloads() if not key.startswith("voxchord")}:
        fleet.client.delete(key)
    yield


@contextmanager
def pools_shrunk(fleet: Fleet, database: Postgres | None) -> Iterator[None]:
    for n in (0, 1, 1):
        fleet.app.control.pool_shrink(n)
    yield
    fleet.app.control.pool_grow(1)
    fleet.app.control.pool_shrink(1)


@contextmanager
def history_locked(fleet: Fleet, database: Postgres | None) -> Iterator[None]:
    """Hold the history's lock in another session."""
    if database is None:
        with closing(sqlite3.connect(history_file(fleet), timeout=20, isolation_level=None)) as file:
            file.execute("BEGIN EXCLUSIVE")
            yield
            file.execute("ROLLBACK")
        return
    with _session(database) as connection, connection.begin():
        connection.execute(text("LOCK TABLE task_run IN ACCESS EXCLUSIVE MODE"))
        yield


@contextmanager
def history_newer(fleet: Fleet, database: Postgres | None) -> Iterator[None]:
    """Give the history the revision of a later release."""
    before = _revise(fleet, database, _NEWER)
    yield
    _revise(fleet, database, before)


@contextmanager
def history_lost(fleet: Fleet, database: Postgres | None) -> Iterator[None]:
    """Delete the history's file under the service."""
    for path in history_file(fleet).parent.glob("history.db*"):
        path.unlink()
    yield


@contextmanager
def history_replaced(fleet: Fleet, database: Postgres | None) -> Iterator[None]:
    """Put an empty file in place of the history's."""
    file = history_file(fleet)
    empty = file.with_name("empty.db")
    with closing(sqlite3.connect(empty)) as made:
        made.execute("CREATE TABLE other (id INTEGER)")
    for journal in file.parent.glob("history.db-*"):
        journal.unlink()
    empty.replace(file)
    yield


def history_file(fleet: Fleet) -> Path:
    return fleet.folder / "state" / "history.db"


def _revise(fleet: Fleet, database: Postgres | None, revision: str) -> str:
    """Set the revision of the history's schema; returns the former one."""
    if database is None:
        with closing(sqlite3.connect(history_file(fleet), timeout=20)) as file, file:
            (before,) = file.execute("SELECT version_num FROM alembic_version").fetchone()
            file.execute("UPDATE alembic_version SET version_num = ?", (revision,))
        return str(before)
    with _session(database) as connection, connection.begin():
        found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
        connection.execute(text("UPDATE alembic_version SET version_num = :new"), {"new": revision})
    return str(found)


@contextmanager
def _session(database: Postgres) -> Iterator[Any]:
    engine = create_engine(database.url().replace("postgresql://", "postgresql+psycopg://"))
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def at_random() -> None:
    """Wait a while, so that a disturbance meets the jobs anywhere."""
    time.sleep(random.uniform(0.3, 2))
