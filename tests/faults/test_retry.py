"""Tests of retrying and cancelling jobs: with the same bytes, and with who did it in the history."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from bench.harness.fleet import Fleet
from bench.harness.waiting import until
from db.database import open_database
from db.schema import job_action
from pipeline.errors import OptionError
from pipeline.jobs.actions import CANCEL, Actor
from pipeline.jobs.retries import check_retry
from tasks.make_app import make_app
from tasks.orchestration.waiters import cancel
from tasks.settings import load
from tests.faults.mischief import deeds
from tests.faults.scripts import script

LIMIT_S = 60


@pytest.fixture
def broken(fleet: Fleet) -> Iterator[Path]:
    """A fault that the words `broken` meet, until the file is removed."""
    path = fleet.folder / "state" / "broken"
    path.touch()
    yield path
    path.unlink(missing_ok=True)


def retry(fleet: Fleet, job: str, segment: int | None = None, **more: Any) -> Any:
    kwargs = {"job": job, "segment": segment, "actor": "ann@desk", "via": "cli", **more}
    return fleet.app.send_task("voxchord.retry", kwargs=kwargs, queue="voxchord")


def failed_job(fleet: Fleet, *words: str, **options: Any) -> str:
    known = fleet.planned()
    result = fleet.send(script(*words), options)
    job = fleet.job(known)
    with pytest.raises(Exception, match="segment"):
        result.get(timeout=LIMIT_S)
    return job


def actions(fleet: Fleet, job: str) -> list[tuple[str, int | None, str, str]]:
    engine = open_database(f"sqlite:///{fleet.folder / 'state' / 'history.db'}")
    with engine.connect() as connection:
        query = select(job_action).where(job_action.c.job == job).order_by(job_action.c.acted_at)
        rows = [(row.action, row.segment, row.actor, row.via) for row in connection.execute(query)]
    engine.dispose()
    return rows


def test_failed_jobs_run_again(fleet: Fleet, broken: Path) -> None:
    job = failed_job(fleet, "again", "", "broken", "broken")
    assert "segment 1" in (fleet.jobs.outcomes.failure(job) or "")
    decoded = len(deeds(broken.parent))
    broken.unlink()
    manifest = retry(fleet, job).get(timeout=LIMIT_S)
    assert (manifest["job"], manifest["state"], manifest["segments"]) == (job, "done", 3)
    assert len([deed for deed in deeds(broken.parent)[decoded:] if deed.startswith("decode")]) == 2
    until(lambda: actions(fleet, job) == [("retry", None, "ann@desk", "cli")])


def test_one_segment_is_decoded_again(fleet: Fleet, broken: Path) -> None:
    job = failed_job(fleet, "one", "", "broken", "broken")
    broken.unlink()
    with pytest.raises(Exception, match="segment 2"):
        retry(fleet, job, 1).get(timeout=LIMIT_S)
    plan = fleet.jobs.plans.need(job)
    assert fleet.jobs.artifacts.missing(plan) == [2], "segment 1 was decoded, segment 2 was left alone"
    with pytest.raises(Exception, match="segment 1 did not fail"):
        retry(fleet, job, 1).get(timeout=LIMIT_S)
    assert retry(fleet, job, 2).get(timeout=LIMIT_S)["state"] == "done"
    until(lambda: [row[1] for row in actions(fleet, job)] == [1, 2])


def test_gaps_of_finished_jobs_are_filled(fleet: Fleet, broken: Path) -> None:
    manifest = fleet.send(script("filled", "", "broken", ""), {"on_error": "gap"}).get(timeout=LIMIT_S)
    assert [gap["segment"] for gap in manifest["gaps"]] == [1]
    broken.unlink()
    filled = retry(fleet, manifest["job"], 1).get(timeout=LIMIT_S)
    assert (filled["state"], filled["gaps"]) == ("done", [])


def test_cancelled_jobs_run_again_and_name_their_actors(fleet: Fleet) -> None:
    known = fleet.planned()
    result = fleet.send(script("stopped", "wait3", "wait3"))
    job = fleet.job(known)
    fleet.jobs.actions.record("a click", job, CANCEL, Actor("bob\n\x1b[31m", "flower"))
    cancel(make_app(load(fleet.environment), fleet.url), job)
    with pytest.raises(Exception, match="cancelled"):
        result.get(timeout=LIMIT_S)
    assert retry(fleet, job).get(timeout=LIMIT_S)["state"] == "done"
    expected = [("cancel", None, "bob  [31m", "flower"), ("retry", None, "ann@desk", "cli")]
    until(lambda: actions(fleet, job) == expected)


def test_repeated_retries_run_once(fleet: Fleet, broken: Path) -> None:
    """A redelivered message, and a second person with the same idea."""
    job = failed_job(fleet, "twice", "", "broken")
    broken.unlink()
    kwargs = {"job": job, "actor": "ann@desk", "via": "cli"}
    results = [
        fleet.app.send_task("voxchord.retry", kwargs=kwargs, queue="voxchord", task_id=task)
        for task in ("retry-a", "retry-a")
    ]
    assert [result.get(timeout=LIMIT_S)["state"] for result in results] == ["done", "done"]
    assert len(fleet.jobs.actions.of(job)) == 1


@pytest.mark.parametrize(
    ("kwargs", "reason"),
    [
        ({"job": "0" * 20}, "unknown job"),
        ({"job": "../plan"}, "not a job ID"),
        ({"job": "0" * 20, "segment": "1"}, "not an integer"),
    ],
)
def test_invalid_retries_are_refused(fleet: Fleet, kwargs: dict[str, Any], reason: str) -> None:
    with pytest.raises(Exception, match=reason):
        fleet.app.send_task("voxchord.retry", kwargs=kwargs, queue="voxchord").get(timeout=LIMIT_S)


def test_finished_jobs_have_nothing_to_retry(fleet: Fleet) -> None:
    manifest = fleet.send(script("finished", "")).get(timeout=LIMIT_S)
    with pytest.raises(Exception, match="nothing to retry"):
        retry(fleet, manifest["job"]).get(timeout=LIMIT_S)
    with pytest.raises(OptionError, match="segments 0 to 0, not 5"):
        check_retry(fleet.jobs, fleet.jobs.plans.need(manifest["job"]), 5)
