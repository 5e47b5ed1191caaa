"""Revoking and terminating tasks, from a client or a console."""

from typing import Any

import pytest
from celery import chord
from celery.exceptions import TaskRevokedError

from bench.harness.fleet import Fleet
from bench.harness.waiting import until
from db.database import open_database
from db.queries.jobs import get_job
from tests.faults.fleet_jobs import LIMIT_S, decodes, done, queued, state
from tests.faults.scripts import script
from tests.tools import slow


def running(fleet: Fleet, task: str) -> list[str]:
    """IDs of the tasks of this name that workers run."""
    active = fleet.app.control.inspect(timeout=1).active() or {}
    return [each["id"] for tasks in active.values() for each in tasks if each["type"] == f"voxchord.{task}"]


def decoding(fleet: Fleet, name: str, *lines: str) -> tuple[Any, str]:
    """Send a job, and wait until its first segments are decoded; returns the result and the job."""
    known = fleet.planned()
    result = fleet.send(script(name, *lines))
    job = fleet.job(known)
    until(lambda: fleet.trying("diffusion"), LIMIT_S)
    return result, job


def test_a_job_whose_only_root_is_revoked_is_cancelled_and_can_be_requested_again(fleet: Fleet) -> None:
    result, job = decoding(fleet, "revoked", "wait8", "wait8", "wait8")
    result.revoke()
    with pytest.raises(TaskRevokedError):
        result.get(timeout=6)
    until(lambda: not fleet.jobs.coordination.is_open(job), LIMIT_S)
    until(lambda: queued(fleet) == 0, LIMIT_S)
    history = open_database(f"sqlite:///{state(fleet) / 'history.db'}")
    until(lambda: (get_job(history, job) or {}).get("state") == "CANCELLED", LIMIT_S)
    history.dispose()
    again = fleet.send(script("revoked", "wait8", "wait8", "wait8"))
    until(lambda: fleet.trying("diffusion"), LIMIT_S)
    fleet.jobs.coordination.cancel(job)
    with pytest.raises(Exception, match="was cancelled"):
        again.get(timeout=LIMIT_S)


@pytest.mark.parametrize("which", [0, 1], ids=["first", "second"])
@pytest.mark.parametrize("signal", [slow(None), "SIGTERM"])
def test_other_roots_of_a_job_are_answered(fleet: Fleet, which: int, signal: str | None) -> None:
    name, lines = f"shared{which}{signal}", ("wait4", "wait4", "")
    first, job = decoding(fleet, name, *lines)
    second = fleet.send(script(name, *lines))
    until(lambda: len(fleet.roots.waiting(job)) == 2, LIMIT_S)
    gone, left = (first, second) if which == 0 else (second, first)
    gone.revoke(terminate=signal is not None, signal=signal)
    with pytest.raises(TaskRevokedError):
        gone.get(timeout=LIMIT_S)
    assert not left.ready()
    assert done(left)["segments"] == 3
    assert decodes(fleet, job) == [1, 1, 1]
    until(lambda: not fleet.jobs.coordination.is_open(job), LIMIT_S)


def test_a_revoked_root_counts_in_its_chord(fleet: Fleet) -> None:
    render = fleet.app.signature(
        "voxchord.render", kwargs={"script": script("part", "wait8")}, queue="voxchord", immutable=True
    )
    result: Any = chord([render], fleet.app.signature("tests.no.such", queue="nowhere")).apply_async()
    until(lambda: fleet.trying("diffusion"), LIMIT_S)
    result.parent.results[0].revoke()
    with pytest.raises(Exception, match="revoked"):
        result.get(timeout=LIMIT_S)


@pytest.mark.parametrize("signal", [slow("SIGTERM"), "SIGKILL"])
def test_terminated_stages_are_made_again_with_one_answer(fleet: Fleet, signal: str) -> None:
    result, job = decoding(fleet, f"end{signal}", "wait5", "wait5")
    for task_id in running(fleet, "diffusion"):
        fleet.app.control.revoke(task_id, terminate=True, signal=signal)
    assert done(result)["state"] == "done"
    assert max(decodes(fleet, job)) >= 2
    until(lambda: not fleet.jobs.coordination.is_open(job), LIMIT_S)


def test_revoking_a_waiting_stage_changes_nothing(fleet: Fleet) -> None:
    result, job = decoding(fleet, "keep", "wait3", "wait3", "wait1", "wait1")
    for reserved in (fleet.app.control.inspect(timeout=1).reserved() or {}).values():
        for each in reserved:
            fleet.app.control.revoke(each["id"])
    assert done(result)["segments"] == 4
    assert decodes(fleet, job) == [1, 1, 1, 1]
