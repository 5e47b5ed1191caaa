"""Time of the history's queries over a million attempts, and rows lost with concurrent writers.

    python -m bench.history [--rows 1000000]

Fills SQLite and PostgreSQL with the same month, runs every query five times with its defaults (30 days, which
is all of it), then lets four processes with a writer each insert at once. The last line is JSON. About four
minutes.
"""

import argparse
import json
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, func, select, text

from bench.harness.rows import history
from bench.harness.services import postgres
from db.database import open_database, writing
from db.ingest import rows, spool
from db.ingest.spool import Spool
from db.ingest.writer import Writer
from db.queries import catalog
from db.schema import task_run

_SEED_ROWS = 20_000
_DAYS = 30
_WRITERS, _ROWS_EACH = 4, 5_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    wanted = parser.parse_args().rows
    result: dict[str, Any] = {"rows": wanted}
    with _databases() as urls:
        for kind, url in urls.items():
            engine = open_database(url)
            began = time.perf_counter()
            found = fill(engine, wanted)
            assert found == wanted, (found, wanted)
            print(f"{kind}: {found} attempts in {time.perf_counter() - began:.0f} s", flush=True)
            medians = {name: ask(engine, name) for name in catalog.names()}
            for name, seconds in sorted(medians.items(), key=lambda item: -item[1]):
                print(f"  {seconds:7.3f} s  {name}", flush=True)
            result[f"{kind}_worst_s"] = round(max(medians.values()), 3)
            result[f"{kind}_s"] = {name: round(seconds, 3) for name, seconds in medians.items()}
            result[f"{kind}_lost"] = insert_at_once(engine, url)
            engine.dispose()
    print(json.dumps(result))


@contextmanager
def _databases() -> Iterator[dict[str, str]]:
    with tempfile.TemporaryDirectory() as folder, postgres() as server:
        yield {"sqlite": f"sqlite:///{folder}/history.db", "postgresql": server.new_database()}


def fill(engine: Engine, wanted: int) -> int:
    """Write some attempts with the writer, and copy them over the month inside the database."""
    first = min(_SEED_ROWS, wanted)
    copies = -(-wanted // first)
    seeds = list(history(first, days=1))
    for start in range(0, first, 1000):
        lines = (json.dumps({"t": "task_run", "r": row}).encode() for row in seeds[start : start + 1000])
        with writing(engine) as connection:
            rows.insert(connection, "task_run", [rows.parse(line)[1] for line in lines])
    for copy in range(1, copies):
        _copy(engine, copy, min(first, wanted - copy * first), _DAYS * 86400 * copy // copies)
    with writing(engine) as connection:
        rows.insert(connection, "job", [{"id": "job-7", "state": "SUCCEEDED", "created_epoch": 1}])
    _settle(engine)
    with engine.connect() as connection:
        return int(connection.execute(select(func.count()).select_from(task_run)).scalar_one())


def _settle(engine: Engine) -> None:
    """Analyse and vacuum, as a database does by itself within a month."""
    if engine.dialect.name == "sqlite":
        with writing(engine) as connection:
            connection.execute(text("ANALYZE"))
        return
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE task_run"))


def _copy(engine: Engine, copy: int, count: int, back_s: int) -> None:
    """Copy the first attempts to earlier times of the month, with small differences."""
    changed = {
        "attempt_uid": f"'c{copy:07x}' || substr(attempt_uid, 9)",
        "task_id": f"task_id || '-{copy}'",
        "root_id": f"root_id || '-{copy}'",
        "job": f"job || '-{copy}'",
        "started_epoch": f"started_epoch - {back_s}",
        "finished_epoch": f"finished_epoch - {back_s}",
        "run_s": f"run_s * (1 + 0.0001 * {copy})",
        "rtf": f"rtf * (1 + 0.0001 * {copy})",
        "rss_peak_bytes": f"rss_peak_bytes + 4096 * {copy}",
        "worker_pid": f"worker_pid + {100 * copy}",
        "app_version": f"'1.{max(0, 2 - copy // 17)}.0'",
    }
    columns = [column.name for column in task_run.columns if column.name != "id"]
    values = ", ".join(changed.get(name, name) for name in columns)
    statement = (
        f"INSERT INTO task_run ({', '.join(columns)}) "  # noqa: S608 - names from the schema, numbers of ours
        f"SELECT {values} FROM task_run WHERE id <= (SELECT MIN(id) FROM task_run) + {count - 1} ORDER BY id"
    )
    with writing(engine) as connection:
        connection.execute(text(statement))


def ask(engine: Engine, name: str) -> float:
    """Median time of five runs, in seconds."""
    taken = []
    for _ in range(5):
        began = time.perf_counter()
        catalog.run(engine, name)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def insert_at_once(engine: Engine, url: str) -> int:
    """Write from four processes, each with its own writer and folder; returns the number of missing rows."""
    with engine.connect() as connection:
        before = int(connection.execute(select(func.count()).select_from(task_run)).scalar_one())
    with tempfile.TemporaryDirectory() as folder:
        context = multiprocessing.get_context("spawn")
        arguments = [(url, f"{folder}/{number}", number) for number in range(_WRITERS)]
        processes = [context.Process(target=_insert, args=each) for each in arguments]
        began = time.perf_counter()
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        taken = time.perf_counter() - began
    with engine.connect() as connection:
        after = int(connection.execute(select(func.count()).select_from(task_run)).scalar_one())
    print(f"  {_WRITERS} writers at once: {(after - before) / taken:.0f} rows/s", flush=True)
    return _WRITERS * _ROWS_EACH - (after - before)


def _insert(url: str, folder: str, number: int) -> None:
    left = Spool(Path(folder))
    writer = Writer(url, Path(folder))
    writer.start()
    for row in history(_ROWS_EACH, seed=number):
        left.append("task_run", row | {"attempt_uid": f"w{number:07d}{row['attempt_uid'][8:]}"})
    left.close()
    while spool.pending_bytes(Path(folder)):
        time.sleep(0.05)
    writer.stop()


if __name__ == "__main__":
    main()
