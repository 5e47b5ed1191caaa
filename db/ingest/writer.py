"""The writer: one thread per worker that carries rows from the spool into the database.

It looks into the folder every 50 ms and inserts in batches. Several writers may share a folder: one leads and
looks often, the others now and then; each file is emptied by one at a time, whoever comes first, so the files
of a process that died are nobody's in particular and never left behind. A row arrives at least once, and the
keys make that exactly once. While the database is away the rows stay where they are.
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

from db.database import open_database, writing
from db.ingest import rows, spool

log = logging.getLogger(__name__)

_BATCH_BYTES = 256 * 1024
_FOLLOW_S = 1.0
"""How often a writer looks that doesn't lead: one per folder looks often, the others stand by."""


class Writer:
    """Carries rows until it is stopped. `start` and `stop` are called from the worker's main process.

    Args:
        chores: called about once a second from the same thread, for what else has to be looked after.
        on_written: told of the rows of a table that the database has taken.
        poll_s: pause between two looks into the folder.
        longest_pause_s: bound of the back-off while the database is away.
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
        self.written = 0
        """Rows handed to the database since the start."""
        self.refused = 0
        """Rows that the database would not take as they are, left out one by one."""
        _writers.add(self)

    def start(self) -> None:
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="history-writer", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 10.0) -> None:
        """Write what is there, once, and end. What the database can't take now is taken at the next start."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout_s)
        self._thread = None

    def _run(self) -> None:
        with spool.Lead(self._folder) as lead:
            while not self._stopping.wait(self._poll_s if lead.held() else _FOLLOW_S):
                self._look()
        self._retry_at = self._next_chores = 0.0
        self._look()
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    def _look(self) -> None:
        """One round. Nothing that goes wrong here may end the thread."""
        now = time.monotonic()
        thorough = now >= self._next_chores
        if thorough:
            self._next_chores = now + 1.0
            self._do_chores()
        if now < self._retry_at:
            return
        try:
            self.drain(thorough=thorough)
            self._answered()
        except (SQLAlchemyError, OSError) as error:
            self._unanswered(error)
        except Exception:
            # A bug here costs rows their place in the table, never the worker its thread.
            log.exception("the history's writer met a bug")
            self._retry_at = time.monotonic() + self._longest_pause_s

    def _answered(self) -> None:
        if self._pause_s > self._poll_s:
            log.info("the history is written again")
        self._pause_s = self._poll_s

    def _unanswered(self, error: Exception) -> None:
        if self._pause_s == self._poll_s:
            log.warning(
                "the history can't be written now; rows wait in the spool", extra={"error": _name(error)}
            )
        self._pause_s = min(self._longest_pause_s, self._pause_s * 2)
        self._retry_at = time.monotonic() + self._pause_s

    def _do_chores(self) -> None:
        for chore in self._chores:
            try:
                chore()
            except Exception:
                # as above: one chore's bug doesn't keep the others from being done
                log.exception("a chore of the history met a bug")

    def drain(self, *, thorough: bool = True) -> int:
        """Carry over everything that lies in the folder now; returns how many rows.

        Args:
            thorough: also open files that have not grown, to delete those whose process is gone.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database is away; nothing is lost.
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
        """Carry one file over; True if it was taken to its end and still exists."""
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
            if not _is_the_rows(error):
                raise
            self._insert_singly(tables, error)

    def _insert(self, tables: dict[str, list[dict[str, Any]]]) -> None:
        if self._engine is None:
            self._engine = open_database(self._url)
        with writing(self._engine) as connection:
            for table, batch in tables.items():
                rows.insert(connection, table, batch)
        self.written += sum(map(len, tables.values()))
        for table, batch in tables.items():
            self._tell(table, batch)

    def _tell(self, table: str, batch: list[dict[str, Any]]) -> None:
        if self._on_written is None:
            return
        try:
            self._on_written(table, batch)
        except Exception:
            # the rows are safe; what counts them doesn't have them written again
            log.exception("rows of the history could not be counted")

    def _insert_singly(self, tables: dict[str, list[dict[str, Any]]], cause: Exception) -> None:
        """One row of a batch was refused: find it, so that it doesn't hold up the others."""
        if sum(map(len, tables.values())) == 1:
            self._refuse(cause)
            return
        for table, batch in tables.items():
            for row in batch:
                try:
                    self._insert({table: [row]})
                except StatementError as error:
                    if not _is_the_rows(error):
                        raise
                    self._refuse(error)

    def _refuse(self, error: Exception) -> None:
        self.refused += 1
        log.warning("a row of the history was left out", extra={"error": _name(error)})


def _is_the_rows(error: StatementError) -> bool:
    """Whether what a row says is to blame, and not the database: the same row would be refused again.

    What never reached the database, such as a time beyond the calendar, is a `StatementError` and no more.
    """
    return isinstance(error, DataError | IntegrityError) or not isinstance(error, DBAPIError)


def _name(error: Exception) -> str:
    """What went wrong, without statements, values or addresses: those may hold secrets."""
    if isinstance(error, DBAPIError) and error.orig is not None:
        return f"{type(error).__name__} ({type(error.orig).__name__})"
    return str(error) if isinstance(error, rows.RowError) else type(error).__name__


_writers: weakref.WeakSet[Writer] = weakref.WeakSet()


def _after_fork() -> None:
    """A fork has no writer thread, and must not touch the connections of its parent."""
    for writer in _writers:
        if writer._engine is not None:
            writer._engine.dispose(close=False)
        writer._engine = writer._thread = None


os.register_at_fork(after_in_child=_after_fork)
