"""Tests of a job's run state: flags, runs, attempts and signs of life."""

from pathlib import Path

import pytest

from pipeline.errors import CancelledError
from pipeline.jobs.coordination import Coordination
from pipeline.store.artifacts import Store

JOB = "0" * 20


@pytest.fixture
def coordination(tmp_path: Path) -> Coordination:
    return Coordination(Store(str(tmp_path)))


def test_first_run_has_number_one_and_no_restart(coordination: Coordination) -> None:
    assert coordination.run_no(JOB) == 1
    assert coordination.begun_s(JOB) is None


def test_reopening_counts_runs_and_removes_flags_and_attempts(coordination: Coordination) -> None:
    coordination.cancel(JOB)
    coordination.begin(JOB, "000001.text", "a", {"pid": 1})
    for flag in ("failed/000001", "failure", "manifest", "extra"):
        coordination.store.put(f"jobs/{JOB}/{flag}", b"")
    coordination.reopen(JOB, flags=["extra"])
    left = {name for name, _, _ in coordination.store.objects.names(f"jobs/{JOB}")}
    assert left == {f"jobs/{JOB}/{name}" for name in ("begun", "run", "pulse")}
    assert coordination.run_no(JOB) == 2
    assert coordination.is_open(JOB)
    assert not coordination.cancelled(JOB)


def test_cancelled_job_raises_and_others_do_not(coordination: Coordination) -> None:
    coordination.cancel(JOB)
    coordination.raise_if_cancelled("1" * 20)
    with pytest.raises(CancelledError, match=JOB):
        coordination.raise_if_cancelled(JOB)


def test_closed_job_is_not_listed(coordination: Coordination) -> None:
    coordination.open(JOB)
    assert coordination.opened() == [JOB]
    coordination.close(JOB)
    assert coordination.opened() == []


def test_job_without_progress_is_idle_for_ever(coordination: Coordination) -> None:
    assert coordination.idle_s(JOB) == float("inf")
    coordination.touch(JOB)
    assert coordination.idle_s(JOB) < 60


def test_ended_attempts_are_removed_and_those_of_other_work_not_counted(coordination: Coordination) -> None:
    coordination.begin(JOB, "000001.text", "a", {"pid": 1})
    coordination.begin(JOB, "000001.text", "b", {"pid": 2})
    coordination.begin(JOB, "000001.textual", "c", {"pid": 3})
    coordination.end(JOB, "000001.text", "a")
    assert coordination.open_attempts(JOB, "000001.text") == [{"pid": 2}]
