import json
from typing import Any

import pytest
from sqlalchemy import Engine, func, select, text

from bench.harness.rows import attempt
from db.database import writing
from db.ingest import rows
from db.retention import DAY_S, HOUR_S, Trimmed, sum_hours, trim
from db.schema import job, job_action, rollup_hour, task_run, task_sample

NOW = 1_800_000_000 // HOUR_S * HOUR_S + 1800


def store(engine: Engine, *attempts: dict[str, Any]) -> None:
    parsed = [rows.parse(json.dumps({"t": "task_run", "r": row}).encode())[1] for row in attempts]
    with writing(engine) as connection:
        rows.insert(connection, "task_run", parsed)


def at(hours_ago: float, **facts: Any) -> dict[str, Any]:
    return attempt(started_epoch=int(NOW - hours_ago * HOUR_S), **facts)


def sums(engine: Engine) -> list[dict[str, Any]]:
    with engine.connect() as connection:
        return [
            dict(row) for row in connection.execute(select(rollup_hour).order_by("hour_epoch")).mappings()
        ]


def count(engine: Engine, table: Any) -> int:
    with engine.connect() as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def test_hours_are_aggregated_when_they_are_over(engine: Engine) -> None:
    store(
        engine,
        at(2, run_s=0.2, rss_peak_bytes=10, audio_s=5.0, engine="hibari"),
        at(2, run_s=2.0, rss_peak_bytes=30, state="RETRY", engine="hibari"),
        at(2, run_s=4.0, engine="vibevoice"),
        at(0.2, run_s=1.0, engine="hibari"),
    )
    assert sum_hours(engine, now=NOW) == 1
    one, other = sums(engine)
    hibari = one if one["engine"] == "hibari" else other
    assert (hibari["n"], hibari["n_not_success"], hibari["n_retry"]) == (2, 1, 1)
    assert (hibari["run_sum_s"], hibari["run_max_s"], hibari["rss_peak_max_bytes"]) == (2.2, 2.0, 30)
    assert (hibari["run_le_250ms"], hibari["run_le_1000ms"], hibari["run_le_2500ms"]) == (1, 1, 2)
    assert (hibari["audio_sum_s"], hibari["device"]) == (5.0, "")
    assert hibari["energy_j_sum"] is None


def test_late_rows_are_aggregated_and_none_twice(engine: Engine) -> None:
    store(engine, at(2), at(40))
    sum_hours(engine, now=NOW)
    store(engine, at(2))
    sum_hours(engine, now=NOW)
    assert [row["n"] for row in sums(engine)] == [1, 2]


@pytest.mark.parametrize("days", [1, 2])
def test_daily_trims_aggregate_late_rows_before_deleting_them(engine: Engine, days: int) -> None:
    """One row of each day's last hour arrives after that day's trim."""
    for day in range(10, -1, -1):
        now = NOW - day * DAY_S
        store(engine, at(day * 24 + 1))
        trim(engine, days=days, now=now)
        store(engine, at(day * 24 + 1))
    trim(engine, days=days, now=NOW + DAY_S)
    assert [row["n"] for row in sums(engine)] == [2] * 11
    assert count(engine, task_run) == 2 * (days - 1)


def test_rows_of_deleted_hours_leave_aggregates_unchanged(engine: Engine) -> None:
    store(engine, at(50), at(50))
    trim(engine, days=1, now=NOW)
    assert count(engine, task_run) == 0
    store(engine, at(50))
    trim(engine, days=1, now=NOW)
    assert [row["n"] for row in sums(engine)] == [2]


def test_attempts_without_a_start_age_by_their_recording_time(engine: Engine) -> None:
    never = {"started_at": None, "started_epoch": None, "state": "REVOKED"}
    store(engine, *(attempt(recorded_at=NOW - days * DAY_S, **never) for days in (100, 1)), at(1))
    assert trim(engine, days=90, now=NOW).attempts_deleted == 1
    assert count(engine, task_run) == 2


def test_old_attempts_are_deleted_in_small_steps_and_aggregates_stay(engine: Engine) -> None:
    store(engine, *(at(24 * 100 + number / 100) for number in range(25)), at(1))
    with writing(engine) as connection:
        connection.execute(
            task_sample.insert(),
            [{"attempt_uid": f"a{n}", "at_ms": 1, "sampled_epoch": NOW - n * 10 * DAY_S} for n in range(3)],
        )
    steps: list[int] = []
    done = trim(engine, days=90, sample_days=14, step=10, now=NOW, each_step=steps.append)
    assert done.attempts_deleted == 25
    assert done.samples_deleted == 1
    assert steps[:4] == [10, 10, 5, 1]
    assert max(steps[4:]) <= 10, "aggregates by worker, which age with the attempts"
    assert count(engine, task_run) == 1
    assert sum(row["n"] for row in sums(engine)) == 26


def test_trimming_is_idempotent(engine: Engine) -> None:
    store(engine, at(24 * 100), at(1))
    trim(engine, now=NOW)
    again = trim(engine, now=NOW)
    assert (again.attempts_deleted, again.samples_deleted) == (0, 0)
    assert sum(row["n"] for row in sums(engine)) == 2


def test_empty_histories_can_be_trimmed(engine: Engine) -> None:
    assert trim(engine, now=NOW) == Trimmed(0, 0, 0)


def test_daily_view_reads_aggregates(engine: Engine) -> None:
    store(engine, at(30, run_s=1.0, queue_wait_s=4.0), at(30, run_s=2.0), at(1))
    trim(engine, days=1, now=NOW)
    with engine.connect() as connection:
        first = connection.execute(text("SELECT * FROM v_daily ORDER BY day_epoch")).mappings().first()
    assert first is not None
    assert (first["n"], first["run_sum_s"], first["queue_wait_mean_s"]) == (2, 3.0, 4.0)
    assert count(engine, task_run) == 1


@pytest.mark.parametrize("days", [1, 90])
def test_rows_are_not_deleted_before_they_are_aggregated(engine: Engine, days: int) -> None:
    store(engine, *(at(24 * number) for number in range(1, 120, 7)))
    trim(engine, days=days, now=NOW)
    assert sum(row["n"] for row in sums(engine)) == 17


def test_refused_requests_age_and_other_jobs_stay(engine: Engine) -> None:
    old, new = NOW - 91 * DAY_S, NOW - 89 * DAY_S
    found = [
        {"id": "old", "state": "FAILED", "refused": 1, "created_epoch": old},
        {"id": "new", "state": "FAILED", "refused": 1, "created_epoch": new},
        {"id": "job", "state": "FAILED", "created_epoch": old},
    ]
    with writing(engine) as connection:
        parsed = [rows.parse(json.dumps({"t": "job", "r": row}).encode())[1] for row in found]
        rows.insert(connection, "job", parsed)
    trim(engine, days=90, now=NOW)
    with engine.connect() as connection:
        assert set(connection.execute(select(job.c.id)).scalars()) == {"new", "job"}


def test_actions_age(engine: Engine) -> None:
    found = [
        {"action_uid": name, "job": "j", "acted_epoch": NOW - days * DAY_S}
        for name, days in (("old", 91), ("new", 89))
    ]
    with writing(engine) as connection:
        parsed = [rows.parse(json.dumps({"t": "job_action", "r": row}).encode())[1] for row in found]
        rows.insert(connection, "job_action", parsed)
        rows.insert(connection, "job_action", parsed)
    trim(engine, days=90, now=NOW)
    with engine.connect() as connection:
        assert list(connection.execute(select(job_action.c.action_uid)).scalars()) == ["new"]
