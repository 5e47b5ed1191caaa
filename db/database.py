"""Connection to the history, on SQLite or PostgreSQL; opening it migrates the schema.

Passwords of the URL appear in no log and no error of ours.
"""

import fcntl
import functools
import logging
import os
import sqlite3
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError
from sqlalchemy.schema import SetColumnComment, SetTableComment

from db import aggregates, locked_files, schema

log = logging.getLogger(__name__)
logging.getLogger("alembic.runtime.migration").setLevel(logging.WARNING)  # it logs every check of the schema

_MIGRATIONS = Path(__file__).parent / "migrations"
_VIEWS = Path(__file__).parent / "views"
_ADVISORY_LOCK = 0x766F7863  # "voxc": PostgreSQL's advisory locks are numbers
_WRITES = "voxchord_writes"
_STATEMENT_S = 30.0
"""Longest statement of PostgreSQL. A migration has no limit, but waits for locks no longer than others do."""


class DatabaseUrlError(Exception):
    """Unusable database URL. The message never repeats the URL, which may hold a password."""


def parse_url(url: str) -> URL:
    """Parse a database URL; `postgres://` and `postgresql://` select psycopg.

    >>> str(parse_url("postgres://me:secret@db.example/voxchord"))
    'postgresql+psycopg://me:***@db.example/voxchord'

    Raises:
        DatabaseUrlError: neither SQLite nor PostgreSQL, or not a URL.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise DatabaseUrlError(
            "cannot parse the database URL; expected sqlite:///FILE or postgresql://…"
        ) from None
    if parsed.drivername in {"postgres", "postgresql", "postgresql+psycopg"}:
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername not in {"sqlite", "sqlite+pysqlite"}:
        raise DatabaseUrlError(
            f"unsupported database {parsed.drivername!r}; expected sqlite:///FILE or postgresql://…"
        )
    if parsed.database in {None, "", ":memory:"}:
        raise DatabaseUrlError("processes share the history, so SQLite needs a file: sqlite:///FILE")
    return parsed


def open_database(url: str, *, migrate: bool = True, timeout_s: float = 5.0) -> Engine:
    """Open the history and create or migrate its tables. Many processes may do so at once.

    Args:
        migrate: False leaves the schema unchanged.
        timeout_s: longest wait for a connection, for another writer of SQLite, or for a lock of PostgreSQL.

    Raises:
        DatabaseUrlError: see `parse_url`.
        sqlalchemy.exc.OperationalError: the database is unreachable, or locked by another session.
    """
    parsed = parse_url(url)
    engine = (
        _sqlite(parsed, timeout_s)
        if parsed.drivername.startswith("sqlite")
        else _postgresql(parsed, timeout_s)
    )
    if migrate:
        try:
            _migrate(engine)
        except BaseException:
            engine.dispose()
            raise
    return engine


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Open a write transaction; SQLite acquires its write lock at the start.

    A transaction that reads first and then writes fails with "database is locked" if another one writes,
    whatever the timeout. A transaction that starts as a writer waits for the lock.
    """
    with engine.connect().execution_options(**{_WRITES: True}) as connection, connection.begin():
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Open a read transaction in which all queries see one snapshot of the history.

    Rows arrive at any time. Queries whose results are combined must not see different sets of them. SQLite's
    deferred transactions read one snapshot in WAL mode; PostgreSQL's do from REPEATABLE READ on.
    """
    options: dict[str, Any] = (
        {} if engine.dialect.name == "sqlite" else {"isolation_level": "REPEATABLE READ"}
    )
    with engine.connect().execution_options(**options) as connection, connection.begin():
        yield connection


def insert_ignore(table: Any, dialect: str) -> Any:
    """Build INSERT … ON CONFLICT DO NOTHING for either database."""
    insert = sqlite.insert if dialect == "sqlite" else postgresql.insert
    return insert(table).on_conflict_do_nothing()


def revision(engine: Engine) -> str | None:
    """Revision of the schema in the database; None if it has none yet."""
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def later_revision(engine: Engine) -> str | None:
    """Revision of the schema if a later release made it; else None."""
    found = revision(engine)
    return found if found is not None and found not in known_revisions() else None


def replaced(engine: Engine) -> bool:
    """True if the file of a SQLite history is not the one that the connections of `engine` have open."""
    return engine.dialect.name == "sqlite" and _file_id(_path(engine.url)) != _opened.get(engine)


_opened: "weakref.WeakKeyDictionary[Engine, tuple[int, int] | None]" = weakref.WeakKeyDictionary()


def _sqlite(url: URL, timeout_s: float) -> Engine:
    path = _path(url)
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
    engine = create_engine(url, connect_args={"timeout": timeout_s}, pool_size=1, max_overflow=4)
    _opened[engine] = _file_id(path)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _path(url: URL) -> Path:
    return Path(str(url.database))


def _file_id(path: Path) -> tuple[int, int] | None:
    """Device and inode of a file; None if it does not exist."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # BEGIN is explicit, below
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")  # rows leave the spool once they are committed
    connection.execute("PRAGMA cache_size = -16384")
    connection.execute("PRAGMA temp_store = MEMORY")


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _postgresql(url: URL, timeout_s: float) -> Engine:
    wanted = {"connect_timeout": max(2, round(timeout_s)), "application_name": "voxchord"}
    arguments = {name: value for name, value in wanted.items() if name not in url.query}
    engine = create_engine(url, connect_args=arguments, pool_size=1, max_overflow=4, pool_pre_ping=True)

    @event.listens_for(engine, "connect")
    def _limit_waits(connection: Any, _record: object) -> None:
        """Limit waits by statements: poolers such as PgBouncer refuse options of a connection."""
        with connection.cursor() as cursor:
            cursor.execute(f"SET lock_timeout = {round(timeout_s * 1000)}")
            cursor.execute(f"SET statement_timeout = {round(_STATEMENT_S * 1000)}")
        connection.commit()

    return engine


@functools.cache
def known_revisions() -> tuple[str, ...]:
    """Revisions that this release knows, the newest first: the numbers of the files."""
    files = (_MIGRATIONS / "versions").glob("[0-9]*.py")
    return tuple(sorted((path.name.partition("_")[0] for path in files), reverse=True))


def _migrate(engine: Engine) -> None:
    if _is_newest(revision(engine)):
        return
    with _only_one(engine):
        if _is_newest(revision(engine)):
            return
        with writing(engine) as connection:
            if engine.dialect.name == "postgresql":
                connection.execute(text("SET LOCAL statement_timeout = 0"))
            _drop_views(connection)
            _upgrade(connection)
            _create_views(connection)
            _document(connection)
        log.info("history migrated", extra={"revision": known_revisions()[0]})


def _upgrade(connection: Connection) -> None:
    from alembic.command import upgrade  # takes 0.1 s, and few processes migrate
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    upgrade(config, "head")


def _is_newest(current: str | None) -> bool:
    """True for the newest revision, and for one of a later release, which only adds to it."""
    return current is not None and current not in known_revisions()[1:]


@contextmanager
def _only_one(engine: Engine) -> Iterator[None]:
    """Lock so that one process migrates while others wait."""
    if engine.dialect.name == "sqlite":
        path = Path(f"{engine.url.database}.migrate")
        with locked_files.opened(path, os.O_CREAT | os.O_WRONLY) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
        return
    with engine.connect() as connection:
        connection.execute(text(f"SET LOCAL lock_timeout = {round(_STATEMENT_S * 1000)}"))
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _ADVISORY_LOCK})
        try:
            yield
        finally:
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _ADVISORY_LOCK})


def _view_files() -> list[Path]:
    return sorted(_VIEWS.glob("*.sql"))


def _drop_views(connection: Connection) -> None:
    for table in chain(*aggregates.TABLES.values()):
        connection.execute(text(f"DROP VIEW IF EXISTS {aggregates.view(table)}"))
    for path in reversed(_view_files()):
        connection.execute(text(f"DROP VIEW IF EXISTS {path.stem.split('_', 1)[1]}"))


def _create_views(connection: Connection) -> None:
    for path in _view_files():
        name = path.stem.split("_", 1)[1]
        connection.exec_driver_sql(f"CREATE VIEW {name} AS\n{path.read_text().rstrip().rstrip(';')}")
    for mark, tables in aggregates.TABLES.items():
        for table in tables:
            view = f"CREATE VIEW {aggregates.view(table)} AS\n{aggregates.view_definition(table, mark)}"
            connection.exec_driver_sql(view)


def _document(connection: Connection) -> None:
    """Write the description of every column to `column_doc` and to PostgreSQL's comments."""
    connection.execute(schema.column_doc.delete())
    connection.execute(
        schema.column_doc.insert(),
        [
            {"table_name": table.name, "column_name": column.name, "doc": column.comment}
            for table in schema.metadata.sorted_tables
            for column in table.columns
        ],
    )
    if connection.dialect.supports_comments:
        for table in schema.metadata.sorted_tables:
            connection.execute(SetTableComment(table))
            for column in table.columns:
                connection.execute(SetColumnComment(column))
