"""Time of the history's queries over a million attempts, and rows lost with concurrent writers.

    python -m bench.history [--rows 1000000]

Fills SQLite and PostgreSQL with the same month, of which all but the last day is aggregated, runs every query
with its defaults (30 days, which is all of it) and every panel of Grafana over its default range, then lets
four processes with a writer each insert at once. The last line is JSON. About four minutes. Above 1,000,000
rows PostgreSQL is measured alone; 10,000,000 rows take 12 GB on disk.
"""

import argparse
import json
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, func, select

from bench.harness.grafana import Range, questions
from bench.harness.month import NEWEST_EPOCH, fill, roll_up
from bench.harness.rows import history
from bench.harness.services import postgres
from db.database import open_database
from db.ingest import spool
from db.ingest.spool import Spool
from db.ingest.writer import Writer
from db.queries import catalog
from db.retention import DAY_S
from db.schema import task_run

_SQLITE_ROWS_MAX = 1_000_000
_RUNS, _SLOW_S = 5, 5.0
_WRITERS, _ROWS_EACH = 4, 5_000
_VARIABLES = {
    "job": ["job-7"],
    "task": [f"voxchord.{stage}" for stage in ("diffusion", "semantic", "stitch", "text", "verify")],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    wanted = parser.parse_args().rows
    result: dict[str, Any] = {"rows": wanted}
    with _databases(wanted) as urls:
        for kind, url in urls.items():
            engine = open_database(url)
            began = time.perf_counter()
            found = fill(engine, wanted)
            assert found == wanted, (found, wanted)
            print(f"{kind}: {found} attempts in {time.perf_counter() - began:.0f} s", flush=True)
            began = time.perf_counter()
            print(f"{kind}: {roll_up(engine)} hours in {time.perf_counter() - began:.0f} s", flush=True)
            result |= measure(engine, kind)
            result[f"{kind}_lost"] = insert_at_once(engine, url)
            engine.dispose()
    print(json.dumps(result))


@contextmanager
def _databases(wanted: int) -> Iterator[dict[str, str]]:
    with tempfile.TemporaryDirectory() as folder, postgres() as server:
        urls = {"postgresql": server.new_database()}
        if wanted <= _SQLITE_ROWS_MAX:
            urls["sqlite"] = f"sqlite:///{folder}/history.db"
        yield urls


def measure(engine: Engine, kind: str) -> dict[str, Any]:
    """Time every query and, on PostgreSQL, every panel; prints each as it goes."""
    medians = {name: ask(name, partial(catalog.run, engine, name)) for name in catalog.names()}
    result: dict[str, Any] = {f"{kind}_worst_s": max(medians.values()), f"{kind}_s": medians}
    if engine.dialect.name == "postgresql":
        panels = {place: ask(place, _query(engine, sql)) for place, sql in _panels().items()}
        result |= {"panels_worst_s": max(panels.values()), "panels_s": panels}
    return result


def _panels() -> Mapping[str, str]:
    """SQL of every panel that queries the history, over the last day."""
    asked = Range(NEWEST_EPOCH - DAY_S, NEWEST_EPOCH, interval_s=120)
    return {str(each): asked.sql(each.text, _VARIABLES) for each in questions() if not each.is_promql}


def _query(engine: Engine, statement: str) -> Callable[[], object]:
    def run() -> object:
        with engine.connect() as connection:
            return connection.exec_driver_sql(statement.replace("%", "%%")).all()

    return run


def ask(name: str, run: Callable[[], object]) -> float:
    """Median time of five runs in seconds; of one run if it takes longer than five seconds."""
    taken: list[float] = []
    while len(taken) < _RUNS and (not taken or taken[0] < _SLOW_S):
        began = time.perf_counter()
        run()
        taken.append(time.perf_counter() - began)
    median = round(statistics.median(taken), 3)
    print(f"  {median:7.3f} s  {name} (load {os.getloadavg()[0]:.1f})", flush=True)
    return median


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
