import json
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine, event, text

from bench.harness.rows import attempt
from db.database import writing
from db.ingest import rows
from db.queries import jobs
from db.reports.job_timeline import load


def store(engine: Engine, table: str, *found: dict[str, Any]) -> None:
    parsed = [rows.parse(json.dumps({"t": table, "r": row}).encode())[1] for row in found]
    with writing(engine) as connection:
        rows.insert(connection, table, parsed)


def stage(name: str, segment: int, **facts: Any) -> dict[str, Any]:
    return attempt(job="j", task_name=f"voxchord.{name}", segment=segment, **facts)


@pytest.fixture
def done(engine: Engine) -> Engine:
    """Insert a job of two segments, one decoded by a second attempt and again after a redelivery."""
    store(
        engine,
        "task_run",
        stage("text", 0, run_s=0.5),
        stage("text", 1, run_s=0.5),
        stage("diffusion", 0, audio_s=60.0, rss_peak_bytes=100, queue_wait_s=1.0),
        stage("diffusion", 1, state="RETRY", audio_s=None, rss_peak_bytes=300, queue_wait_s=3.0),
        stage("diffusion", 1, audio_s=40.0, rss_peak_bytes=200, cpu_children_s=0.25),
        stage("diffusion", 1, audio_s=40.0, redelivered=1),
        attempt(job="another", audio_s=5.0),
    )
    return engine


def test_progress_counts_attempts_by_state_and_audio_once_per_segment(done: Engine) -> None:
    found = jobs.progress(done, "j")
    assert found["voxchord.text"] == {"states": {"SUCCESS": 2}, "segments": 2, "run_s": 1.0, "audio_s": None}
    assert found["voxchord.diffusion"] == {
        "states": {"SUCCESS": 3, "RETRY": 1},
        "segments": 2,
        "run_s": 8.0,
        "audio_s": 100.0,
    }


def find_all(engine: Engine, _: str) -> list[str]:
    return jobs.find_jobs(engine, "")


@pytest.mark.parametrize("read", [jobs.progress, jobs.costs, jobs.job_and_progress, find_all, load])
def test_readers_that_join_queries_see_one_snapshot(
    engine: Engine, read: Callable[[Engine, str], object]
) -> None:
    """Rows are written after the first query of each reader; none of its later queries may see them."""
    first = {"worker": "w@h", "worker_pid": 1}
    store(engine, "task_run", stage("text", 0, run_s=2.0, attempt_uid="first", **first))
    store(engine, "job", {"id": "j", "state": "RUNNING", "updated_epoch_ms": 1})
    before, queries = read(engine, "j"), list[str]()

    def meanwhile(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if statement.startswith("SELECT") and ("task_run" in statement or "job" in statement):
            queries.append(statement)
            if len(queries) == 1:
                store(engine, "task_run", stage("diffusion", 0, audio_s=1.0, **first))
                store(engine, "task_run", attempt(job="another"))
                store(engine, "job", {"id": "j", "state": "SUCCEEDED", "updated_epoch_ms": 2})
                store(engine, "task_sample", {"attempt_uid": "first", "at_ms": 0, "rss_bytes": 1})
                store(engine, "worker_proc", {"proc_uid": "p", "worker": "w@h", "pid": 1})

    event.listen(engine, "after_cursor_execute", meanwhile)
    try:
        during = read(engine, "j")
    finally:
        event.remove(engine, "after_cursor_execute", meanwhile)
    assert len(queries) >= 2
    assert during == before
    assert jobs.progress(engine, "j")["voxchord.diffusion"]["segments"] == 1


def test_costs_sum_all_attempts_most_expensive_first(done: Engine) -> None:
    decode, words = jobs.costs(done, "j")
    assert (decode["task_name"], words["task_name"]) == ("voxchord.diffusion", "voxchord.text")
    assert (decode["attempts"], decode["not_success"], decode["audio_s"]) == (4, 1, 100.0)
    assert decode["cpu_s"] == pytest.approx(4 * 1.75 + 0.25)
    assert (decode["queue_wait_s"], decode["queue_wait_max_s"], decode["rss_peak_bytes"]) == (4.0, 3.0, 300)
    assert decode["gpu_active_s"] is None


def test_jobs_without_attempts_have_no_progress_and_no_costs(engine: Engine) -> None:
    assert jobs.progress(engine, "j") == {}
    assert jobs.costs(engine, "j") == []


def test_jobs_are_listed_newest_first(engine: Engine) -> None:
    for number in range(3):
        store(
            engine,
            "job",
            {"id": f"j{number}", "state": "RUNNING", "created_epoch": number, "labels": {"n": number}},
        )
    assert [row["id"] for row in jobs.list_jobs(engine, limit=2)] == ["j2", "j1"]
    found = jobs.get_job(engine, "j1")
    assert found is not None
    assert (found["state"], found["labels"]) == ("RUNNING", {"n": 1})
    assert jobs.get_job(engine, "j9") is None


def test_job_view_has_costs(done: Engine) -> None:
    store(done, "job", {"id": "j", "state": "SUCCEEDED", "updated_epoch_ms": 1})
    with done.connect() as connection:
        row = connection.execute(text("SELECT attempts, wasted_attempts, run_s FROM v_job")).one()
    assert tuple(row) == (6, 1, 9.0)
