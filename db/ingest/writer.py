"""Writer: one thread per worker that moves rows from the spool to the database.

It polls the folder every 50 ms and inserts in batches. Several writers may share a folder: the leader polls
often, the others once a second. Any writer may drain any file, one writer at a time, so files of dead
processes are drained too. Rows are delivered at least once; unique keys make that exactly once. While the
database is down, rows stay in the spool.
"""

import logging
import os
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError, StatementError

from db import rollups
from db.database import later_revision, open_database, replaced, writing
from db.ingest import rows, spool

log = logging.getLogger(__name__)

_BATCH_BYTES = 256 * 1024
_FOLLOW_S = 1.0
"""Poll interval of writers that do not lead."""
_BETWEEN_S = 0.25
"""Pause between aggregations of a backlog: others that wait for SQLite's lock try every 0.1 s."""


class Writer:
    """Drains the spool until stopped. `start` and `stop` are called from the worker's main process.

    Args:
        chores: functions called about once a second from the writer's thread.
        on_written: called with a table's name and the rows that were inserted.
        poll_s: poll interval of the leader.
        longest_pause_s: upper bound of the back-off while the database is down.
    """

    def __init__(
        self,
        url: str,
        folder: Path,
        *,
        chores: Sequence[Callable[[], object]] = (),
        on_written: Callable[[str, Sequence[dict[str, Any]]], object] | None = None,
        poll_s: float = 0.05,
        longest_pause_s: float = 5.0,
    ) -> None:
        self._url, self._folder, self._chores = url, folder, chores
        self._on_written = on_written
        self._poll_s, self._longest_pause_s = poll_s, longest_pause_s
        self._engine: Engine | None = None
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._next_chores = 0.0
        self._known: dict[Path, int] = {}
        self._retry_at, self._pause_s = 0.0, poll_s
        self._not_aggregated = 0
        self.written = 0
        """Rows inserted since the start."""
        self.refused = 0
        """Rows that the database refused."""
        _writers.add(self)

    def start(self) -> None:
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="history-writer", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 10.0) -> None:
        """Drain the spool once and stop. Rows that cannot be written wait for the next start."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout_s)
        self._thread = None

    def _run(self) -> None:
        with spool.LeaderLock(self._folder) as leader:
            while not self._stopping.wait(self._poll_s if leader.held() else _FOLLOW_S):
                self._poll()
        self._retry_at = self._next_chores = 0.0
        self._poll()
        self._close()

    def _close(self) -> None:
        if self._engine is not None:
            self._engine.dispose()
        self._engine = None

    def _poll(self) -> None:
        """Poll once. No error may end the thread."""
        now = time.monotonic()
        thorough = now >= self._next_chores
        if thorough:
            self._next_chores = now + 1.0
            self._do_chores()
        if now < self._retry_at:
            return
        try:
            written = self.drain(thorough=thorough)
            self._answered()
            if written:
                self._aggregate(written)
        except (SQLAlchemyError, OSError) as error:
            self._close()  # the tables may be gone, and are then made anew
            self._unanswered(error)
        except Exception:
            # an unexpected error must not end the thread
            log.exception("unexpected error in the history writer")
            self._retry_at = time.monotonic() + self._longest_pause_s

    def _aggregate(self, written: int) -> None:
        """Bring the aggregates up to date, once enough attempts are new."""
        self._not_aggregated += written
        if self._not_aggregated < rollups.TAIL_ROWS // 10 or later_revision(self._opened()) is not None:
            return
        self._not_aggregated = 0
        while rollups.advance_once(self._opened(), at_least=rollups.TAIL_ROWS) == rollups.STEP:
            if self._stopping.wait(_BETWEEN_S):
                return

    def _answered(self) -> None:
        if self._pause_s > self._poll_s:
            log.info("the history database answers again")
        self._pause_s = self._poll_s

    def _unanswered(self, error: Exception) -> None:
        if self._pause_s == self._poll_s:
            log.warning(
                "cannot write to the history database; rows wait in the spool", extra={"error": _name(error)}
            )
        self._pause_s = min(self._longest_pause_s, self._pause_s * 2)
        self._retry_at = time.monotonic() + self._pause_s

    def _do_chores(self) -> None:
        for chore in self._chores:
            try:
                chore()
            except Exception:
                # an error in one chore must not stop the others
                log.exception("unexpected error in a chore of the history writer")

    def drain(self, *, thorough: bool = True) -> int:
        """Write all spooled rows; returns their number.

        Args:
            thorough: also open files that have not grown, to delete those of dead processes.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database is down; no row is lost.
        """
        before = self.written
        known: dict[Path, int] = {}
        for path in spool.files(self._folder):
            try:
                size = path.stat().st_size
            except FileNotFoundError:
                continue
            if (self._known.get(path) == size and not thorough) or self._empty(path):
                known[path] = size
        self._known = known
        return self.written - before

    def _empty(self, path: Path) -> bool:
        """Drain one file; True if it was drained completely and still exists."""
        turn = spool.take(path)
        if turn is None:
            return False
        try:
            while True:
                lines, offset = turn.read(_BATCH_BYTES)
                if not lines:
                    break
                self._store(lines)
                turn.advance(offset)
            return not turn.delete_if_done()
        except FileNotFoundError:
            return False
        finally:
            turn.release()

    def _store(self, lines: list[bytes]) -> None:
        tables: dict[str, list[dict[str, Any]]] = {}
        for line in lines:
            if not line:
                continue
            try:
                table, row = rows.parse(line)
            except rows.RowError as error:
                self._refuse(error)
                continue
            tables.setdefault(table, []).append(row)
        if not tables:
            return
        try:
            self._insert(tables)
        except StatementError as error:
            if not self._is_the_rows(error):
                raise
            self._insert_singly(tables, error)

    def _insert(self, tables: dict[str, list[dict[str, Any]]]) -> None:
        engine = self._opened()
        with writing(engine) as connection:
            for table, batch in tables.items():
                rows.insert(connection, table, batch)
        if replaced(engine):
            raise FileNotFoundError("the history's file was replaced while rows were written to it")
        self.written += sum(map(len, tables.values()))
        for table, batch in tables.items():
            self._report(table, batch)

    def _opened(self) -> Engine:
        """Engine of the database that the URL names now: a file may have been deleted or replaced."""
        if self._engine is not None and replaced(self._engine):
            log.warning("the history's file was deleted or replaced; it is opened again")
            self._close()
        if self._engine is None:
            self._engine = open_database(self._url)
        return self._engine

    def _is_the_rows(self, error: StatementError) -> bool:
        """True if the row is invalid and would be refused again; False if the database failed.

        Errors before the database is reached, such as a time beyond the calendar, are plain
        `StatementError`s. A schema of a later release may refuse rows of this one, which then wait.
        """
        if not isinstance(error, DBAPIError):
            return True
        return isinstance(error, DataError | IntegrityError) and later_revision(self._opened()) is None

    def _report(self, table: str, batch: list[dict[str, Any]]) -> None:
        if self._on_written is None:
            return
        try:
            self._on_written(table, batch)
        except Exception:
            # the rows are committed and must not be written again
            log.exception("cannot count rows of the history")

    def _insert_singly(self, tables: dict[str, list[dict[str, Any]]], cause: Exception) -> None:
        """Insert the rows of a refused batch one by one, to skip the invalid ones."""
        if sum(map(len, tables.values())) == 1:
            self._refuse(cause)
            return
        for table, batch in tables.items():
            for row in batch:
                try:
                    self._insert({table: [row]})
                except StatementError as error:
                    if not self._is_the_rows(error):
                        raise
                    self._refuse(error)

    def _refuse(self, error: Exception) -> None:
        self.refused += 1
        log.warning("skipped an invalid row of the history", extra={"error": _name(error)})


def _name(error: Exception) -> str:
    """Name of an error without statements, values or addresses, which may hold secrets."""
    if isinstance(error, DBAPIError) and error.orig is not None:
        return f"{type(error).__name__} ({type(error.orig).__name__})"
    return str(error) if isinstance(error, rows.RowError) else type(error).__name__


_writers: weakref.WeakSet[Writer] = weakref.WeakSet()


def _after_fork() -> None:
    """Drop the writer thread and the connections of the parent in a fork."""
    for writer in _writers:
        if writer._engine is not None:
            writer._engine.dispose(close=False)
        writer._engine = writer._thread = None


os.register_at_fork(after_in_child=_after_fork)
