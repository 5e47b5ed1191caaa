from typing import Any

import pytest

from bench.harness.waiting import until
from tests.tasks.metering.conftest import Bench

MEBI = 1 << 20


def test_peaks_belong_to_their_task_in_reused_processes(bench: Bench) -> None:
    with bench.worker():
        large, small = bench.send("allocate", 300), bench.send("allocate", 10)
        (first,), (second,) = bench.wait_for(large), bench.wait_for(small)
    assert first["worker_pid"] == second["worker_pid"]
    assert (first["child_seq"], second["child_seq"]) == (1, 2)
    assert first["rss_peak_method"] == second["rss_peak_method"] == "hwm_reset"
    assert first["rss_peak_bytes"] - first["rss_start_bytes"] == pytest.approx(300 * MEBI, rel=0.05)
    assert second["rss_peak_bytes"] - second["rss_start_bytes"] == pytest.approx(10 * MEBI, rel=0.05)


def test_cpu_time_of_library_threads_counts(worker: Bench) -> None:
    (row,) = worker.wait_for(worker.send("burn_in_own_threads", 0.3))
    assert row["cpu_user_s"] + row["cpu_system_s"] == pytest.approx(0.6, rel=0.15)
    assert row["cpu_scope"] == "process"


def test_killed_attempts_and_their_successors_have_rows(worker: Bench) -> None:
    killed, again = worker.wait_for(worker.send("die", "job-7"), count=2)
    assert (killed["state"], killed["exit_signal"], killed["stats_complete"]) == ("LOST", 9, 0)
    assert killed["job"] == "job-7"
    assert killed["rss_peak_bytes"] > 10 * MEBI
    assert 1.7 < killed["run_s"] < 6
    assert (again["state"], again["redelivered"], again["broker_wait_s"]) == ("SUCCESS", 1, None)


def test_attempts_killed_at_once_name_their_job(worker: Bench) -> None:
    killed, _again = worker.wait_for(worker.send("die", "at once"), count=2)
    assert (killed["state"], killed["job"], killed["exit_signal"]) == ("LOST", "at once", 9)


def test_hard_time_limits_have_rows(worker: Bench) -> None:
    (row,) = worker.wait_for(worker.send("never_end"))
    assert (row["state"], row["exc_type"], row["hard_limit_s"]) == ("TIMEOUT", "TimeLimitExceeded", 1.0)
    assert 0.9 < row["run_s"] < 5


def test_tasks_revoked_while_running_have_rows(worker: Bench) -> None:
    worker.wait_for(worker.send("sleep", 0))
    task_id = worker.send("sleep", 60)
    until(lambda: worker.is_running(task_id))
    worker.app.control.revoke(task_id, terminate=True)
    (row,) = worker.wait_for(task_id)
    assert (row["state"], row["exc_type"], row["exit_signal"]) == ("REVOKED", "Terminated", 15)


def test_tasks_revoked_before_their_start_have_rows(worker: Bench) -> None:
    worker.wait_for(worker.send("sleep", 0))
    ahead = worker.send("sleep", 3)
    until(lambda: worker.is_running(ahead))
    task_id = worker.send("sleep", 0)
    worker.app.control.revoke(task_id)
    (row,), (first,) = worker.wait_for(task_id), worker.wait_for(ahead)
    assert (row["state"], row["started_at"]) == ("REVOKED", None)
    assert row["recorded_at"] > first["started_at"]


def test_attempts_of_dead_workers_are_found_by_the_next(bench: Bench) -> None:
    with bench.worker() as first:
        task_id = bench.send("sleep", 3)
        until(lambda: bench.is_running(task_id))
        bench.kill_group(first)
    with bench.worker():
        lost = bench.wait_for(task_id)[0]
    assert (lost["state"], lost["exit_signal"], lost["stats_complete"]) == ("LOST", None, 0)


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("error", [("FAILURE", "SegmentError", "segment 3 (script line 14): no voice")]),
        ("returned", [("FAILURE", "SegmentError", "segment 3 (script line 14): no voice")]),
        ("retry", [("RETRY", "StoreError", "away"), ("FAILURE", "StoreError", "away")]),
        ("ignore", [("IGNORED", None, None)]),
        ("reject", [("REJECTED", None, None)]),
        ("cancelled", [("REVOKED", "CancelledError", "job j was cancelled")]),
        ("hand back", [("HANDED_BACK", "HandedBackError", ""), ("SUCCESS", None, None)]),
    ],
)
def test_every_end_has_its_state(worker: Bench, how: str, expected: list[tuple[Any, ...]]) -> None:
    rows = worker.wait_for(worker.send("fail", how), count=len(expected))
    assert [(row["state"], row["exc_type"], row["exc_message"]) for row in rows] == expected


def test_messages_of_unexpected_errors_are_dropped(worker: Bench) -> None:
    (row,) = worker.wait_for(worker.send("fail", "bug"))
    assert (row["state"], row["exc_type"]) == ("FAILURE", "KeyError")
    assert row["exc_message"].startswith("raised in fail, tasks/metering/worker_app.py:")


def test_replaced_tasks_count_as_success(worker: Bench) -> None:
    first, second = worker.wait_for(worker.send("fail", "replace"), count=2)
    assert (first["state"], first["exc_type"], second["state"]) == ("SUCCESS", None, "SUCCESS")


def test_retries_are_new_rows_without_their_back_off(worker: Bench) -> None:
    first, second = worker.wait_for(worker.send("fail", "retry"), count=2)
    assert (first["attempt"], second["attempt"]) == (0, 1)
    assert first["attempt_uid"] != second["attempt_uid"]
    assert first["retry_delay_s"] == pytest.approx(0.2)
    assert first["first_published_at"] == second["first_published_at"] < second["published_at"]
    assert second["eta_at"] > second["published_at"]
    assert second["queue_wait_s"] < (second["started_at"] - second["published_at"]).total_seconds() - 0.1
    assert second["total_s"] > first["total_s"]


def test_waiting_is_split_into_broker_and_worker(worker: Bench) -> None:
    longer = worker.send("sleep", 0.5)
    (row,) = worker.wait_for(worker.send("sleep", 0))
    assert row["queue_wait_s"] == pytest.approx(row["broker_wait_s"] + row["prefetch_wait_s"])
    assert row["queue_wait_s"] > 0.3
    assert row["clock_skew"] == 0
    (first,) = worker.rows(longer)
    assert first["queue_wait_s"] < 0.3


def test_facts_noted_by_the_task_are_stored(worker: Bench) -> None:
    facts = {
        "job": "j",
        "segment": 4,
        "engine": "hibari",
        "chars_in": 812,
        "audio_s": 10.0,
        "cache_hit": False,
    }
    (row,) = worker.wait_for(worker.send("sleep", 0.1, **facts))
    assert {name: row[name] for name in facts} == facts
    assert row["rtf"] == pytest.approx(row["run_s"] / 10.0)
    assert row["cold_start"] == 0
    assert row["queue"] == worker.queue
    assert row["pool"] == "prefork"
    assert row["app_version"] == "1.0"


def test_gpu_columns_are_null_without_a_gpu(worker: Bench) -> None:
    (row,) = worker.wait_for(worker.send("sleep", 0))
    assert {row[name] for name in row if name.startswith("gpu_")} == {None}


def test_long_attempts_have_samples(worker: Bench) -> None:
    (row,) = worker.wait_for(worker.send("sleep", 3.6))
    samples = worker.samples(row["attempt_uid"])
    assert len(samples) >= 2
    assert row["threads_peak"] == max(sample["threads"] for sample in samples)
    assert all(sample["at_ms"] >= 1000 and sample["rss_bytes"] > MEBI for sample in samples)
    assert row["sample_count"] > len(samples)


def test_rows_of_stopping_workers_are_written(bench: Bench) -> None:
    with bench.worker():
        task_id = bench.send("sleep", 1)
        until(lambda: bench.is_running(task_id))
    assert [row["state"] for row in bench.rows(task_id)] == ["SUCCESS"]
    assert list((bench.folder / "spool").iterdir()) == []


def test_overlapping_attempts_share_process_usage(bench: Bench) -> None:
    with bench.worker("-P", "threads", "-c", "2"):
        ids = [bench.send("burn_in_own_threads", 0.4) for _ in range(2)]
        rows = [bench.wait_for(task_id)[0] for task_id in ids]
    assert [row["overlap_max"] for row in rows] == [2, 2]
    assert [row["cpu_scope"] for row in rows] == ["share", "share"]
    assert sum(row["cpu_user_s"] + row["cpu_system_s"] for row in rows) == pytest.approx(1.6, rel=0.15)
    ends = [row["started_at"].timestamp() + row["run_s"] for row in rows]
    busy_s = max(ends) - min(row["started_at"].timestamp() for row in rows)
    assert sum(row["share_s"] for row in rows) == pytest.approx(busy_s, rel=0.05)
    assert all(0.4 * row["run_s"] < row["share_s"] < 0.8 * row["run_s"] for row in rows)


def test_short_tasks_skip_expensive_counters(bench: Bench) -> None:
    with bench.worker():
        rows = [bench.wait_for(bench.send("sleep", seconds))[0] for seconds in (0.3, 0, 0, 0.3, 0.3)]
    known = [row["cpu_wait_s"] is not None and row["cpu_psi_s"] is not None for row in rows]
    assert known == [True, True, False, False, True]
    assert all(row["cpu_user_s"] is not None and row["io_rchar"] is not None for row in rows)
