"""A history filled with a busy month of attempts, and the roll-ups of a daily `trim`."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, event, func, select, text

from bench.harness.rows import history
from db import rollups
from db.database import writing
from db.ingest import rows
from db.retention import DAY_S, sum_hours
from db.schema import task_run

NEWEST_EPOCH = 1_800_000_000
"""Start of the newest attempt."""
_SEED_ROWS = 20_000
_DAYS = 30
_BY_HTTP = 10
"""One request in this many came over HTTP."""


def fill(engine: Engine, wanted: int) -> int:
    """Write some attempts as the writer does, and copy them over the month inside the database.

    Indexes of PostgreSQL other than keys are dropped meanwhile, and created again as the schema has them.

    Returns:
        The number of attempts.
    """
    _unlimited(engine)
    first = min(_SEED_ROWS, wanted)
    copies = -(-wanted // first)
    seeds = list(history(first, days=1, newest=NEWEST_EPOCH))
    for start in range(0, first, 1000):
        lines = (json.dumps({"t": "task_run", "r": row}).encode() for row in seeds[start : start + 1000])
        with writing(engine) as connection:
            rows.insert(connection, "task_run", [rows.parse(line)[1] for line in lines])
    with _without_indexes(engine):
        for copy in range(1, copies):
            _copy(engine, copy, copies, min(first, wanted - copy * first))
    with writing(engine) as connection:
        connection.execute(text(_JOBS))
        connection.execute(text(_REQUESTS))
    settle(engine)
    with engine.connect() as connection:
        return int(connection.execute(select(func.count()).select_from(task_run)).scalar_one())


def roll_up(engine: Engine) -> int:
    """Aggregate hours as a `trim` of the day before did, and attempts as writers do; returns the hours."""
    hours = sum_hours(engine, now=NEWEST_EPOCH - DAY_S)
    while rollups.advance_once(engine, at_least=rollups.TAIL_ROWS):
        pass
    settle(engine)
    return hours


_JOBS = """
INSERT INTO job (id, root_id, state, engine, created_epoch, finished_epoch, segments, audio_s,
    updated_epoch_ms)
SELECT job, MAX(root_id), 'SUCCEEDED', 'hibari', MIN(started_epoch), MAX(finished_epoch), 100,
    SUM(audio_s), 1
FROM task_run
GROUP BY job
"""
_REQUESTS = f"""
INSERT INTO http_request (task_id, client, chars_in, requested_epoch, ended_epoch)
SELECT root_id, CASE WHEN created_epoch % 2 = 0 THEN 'blog' ELSE 'shop' END, 120000, created_epoch,
    finished_epoch
FROM job
WHERE created_epoch % {_BY_HTTP} = 0
"""  # noqa: S608 - a number of ours


def _unlimited(engine: Engine) -> None:
    """Remove the limit of PostgreSQL's statements, so that slow queries are measured."""
    if engine.dialect.name == "sqlite":
        return

    @event.listens_for(engine, "connect")
    def _no_limit(connection: object, _record: object) -> None:
        with connection.cursor() as cursor:  # type: ignore[attr-defined]
            cursor.execute("SET statement_timeout = 0")
            cursor.execute("SET maintenance_work_mem = '1GB'")
        connection.commit()  # type: ignore[attr-defined]

    engine.dispose()


@contextmanager
def _without_indexes(engine: Engine) -> Iterator[None]:
    if engine.dialect.name == "sqlite":
        yield
        return
    with writing(engine) as connection:
        found = connection.execute(text(_INDEXES)).all()
        for name, _ in found:
            connection.execute(text(f"DROP INDEX {name}"))
    yield
    for _, definition in found:
        with writing(engine) as connection:
            connection.execute(text(definition))


_INDEXES = """
SELECT c.relname, pg_get_indexdef(i.indexrelid)
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE i.indrelid = 'task_run'::regclass AND NOT i.indisunique
ORDER BY 1
"""


def settle(engine: Engine) -> None:
    """Analyse and vacuum, as a database does by itself within a month."""
    if engine.dialect.name == "sqlite":
        with writing(engine) as connection:
            connection.execute(text("ANALYZE"))
        return
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))


def _copy(engine: Engine, copy: int, copies: int, count: int) -> None:
    """Copy the first attempts to earlier times of the month, with small differences."""
    back_s = _DAYS * DAY_S * copy // copies
    changed = {
        "attempt_uid": f"'c{copy:07x}' || substr(attempt_uid, 9)",
        "task_id": f"task_id || '-{copy}'",
        "root_id": f"root_id || '-{copy}'",
        "job": f"job || '-{copy}'",
        "started_epoch": f"started_epoch - {back_s}",
        "finished_epoch": f"finished_epoch - {back_s}",
        "run_s": f"run_s * (1 + 0.0001 * {50 * copy // copies})",
        "rtf": f"rtf * (1 + 0.0001 * {50 * copy // copies})",
        "rss_peak_bytes": f"rss_peak_bytes + 4096 * {copy}",
        "worker_pid": f"worker_pid + {100 * copy}",
        "app_version": f"'1.{2 - 3 * copy // copies}.0'",
    }
    columns = [column.name for column in task_run.columns if column.name != "id"]
    values = ", ".join(changed.get(name, name) for name in columns)
    statement = (
        f"INSERT INTO task_run ({', '.join(columns)}) "  # noqa: S608 - names from the schema, numbers of ours
        f"SELECT {values} FROM task_run WHERE id <= (SELECT MIN(id) FROM task_run) + {count - 1} ORDER BY id"
    )
    with writing(engine) as connection:
        connection.execute(text(statement))
        _no_wait(connection)


def _no_wait(connection: Connection) -> None:
    """Let PostgreSQL confirm a step before it is on disk; the next checkpoint writes it."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL synchronous_commit = off"))
