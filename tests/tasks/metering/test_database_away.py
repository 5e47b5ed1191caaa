"""Tests of jobs while the history database is down: rows wait, jobs do not."""

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.harness.services import Postgres
from db.ingest import spool
from tests.tasks.metering.conftest import Bench, open_bench


@pytest.fixture
def on_postgresql(broker: str, tmp_path: Path, postgres_server: Postgres) -> Iterator[Bench]:
    yield from open_bench(broker, tmp_path, postgres_server.new_database())


def test_jobs_run_while_postgresql_is_down_and_rows_are_written_once(
    on_postgresql: Bench, postgres_server: Postgres
) -> None:
    bench = on_postgresql
    with bench.worker("-c", "2"):
        bench.wait_for(bench.send("sleep", 0))
        bench.engine.dispose()
        postgres_server.stop()
        try:
            ids = [bench.send("sleep", 0.01, job="j", segment=number) for number in range(20)]
            for task_id in ids:
                bench.app.AsyncResult(task_id).get(timeout=30)
            time.sleep(0.5)  # time for the writer to fail a few times
            assert spool.pending_bytes(bench.folder / "spool") > 0
        finally:
            postgres_server.start()
        for task_id in ids:
            bench.wait_for(task_id)
    rows = [row for row in bench.rows() if row["job"] == "j"]
    assert sorted(row["segment"] for row in rows) == list(range(20))
    assert {row["state"] for row in rows} == {"SUCCESS"}


def test_jobs_run_while_sqlite_is_locked(bench: Bench) -> None:
    with bench.worker():
        bench.wait_for(bench.send("sleep", 0))
        other = sqlite3.connect(bench.folder / "history.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        ids = [bench.send("sleep", 0.01, job="j") for _ in range(10)]
        for task_id in ids:
            bench.app.AsyncResult(task_id).get(timeout=30)
        assert [row for row in bench.rows() if row["job"] == "j"] == []
        other.execute("COMMIT")
        other.close()
        for task_id in ids:
            assert len(bench.wait_for(task_id)) == 1


def test_unwritten_rows_are_written_at_the_next_start(
    on_postgresql: Bench, postgres_server: Postgres
) -> None:
    bench = on_postgresql
    bench.engine.dispose()
    postgres_server.stop()
    try:
        with bench.worker():
            task_id = bench.send("sleep", 0.01)
            bench.app.AsyncResult(task_id).get(timeout=30)
    finally:
        postgres_server.start()
    with bench.worker():
        assert len(bench.wait_for(task_id)) == 1


def test_unwritable_spools_cost_only_the_row(bench: Bench) -> None:
    (bench.folder / "spool").write_text("in the way")
    (bench.folder / "open").write_text("in the way")
    with bench.worker():
        assert bench.app.AsyncResult(bench.send("allocate", 1)).get(timeout=30) == 1 << 20
    assert bench.rows() == []
