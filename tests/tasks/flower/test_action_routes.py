"""Tests of a job's page in Flower, and of its buttons."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from celery import Celery
from sqlalchemy import select

from bench.harness.waiting import until
from db.database import open_database
from db.schema import job_action
from pipeline.errors import EngineError
from pipeline.jobs.artifacts import stage_name
from pipeline.jobs.jobs import Jobs
from pipeline.store.artifacts import Store
from tests.cli.gated import GATE
from tests.console import Console

LINE = "The ferry crosses at noon, and again at dusk."
FORM = {"Accept": "text/html", "Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture(scope="module")
def app(console: Console) -> Iterator[Celery]:
    with Celery(broker=console.broker, backend=console.broker) as app:
        yield app


@pytest.fixture
def jobs(console: Console) -> Jobs:
    return Jobs(Store(console.settings.store_url))


def send(app: Celery, name: str, segments: int) -> Any:
    """Send a job that waits at the gate."""
    script = "\n".join(f"{'Ann' if n % 2 else 'Bo'}: {name} {n}. {LINE}" for n in range(segments))
    kwargs = {"script": script, "options": {"engine": "gated"}}
    return app.send_task("voxchord.render", kwargs=kwargs, queue="voxchord")


def actions(console: Console, job: str) -> list[tuple[str, int | None, str, str]]:
    engine = open_database(console.settings.history_url, migrate=False)
    with engine.connect() as connection:
        query = select(job_action).where(job_action.c.job == job).order_by(job_action.c.acted_at)
        rows = [(row.action, row.segment, row.actor, row.via) for row in connection.execute(query)]
    engine.dispose()
    return rows


def state(console: Console, job: str) -> str:
    page = console.ask(f"/voxchord/jobs/{job}/page").body.decode()
    found = re.search('id="job-state">([a-z]+)<', page)
    assert found
    return found[1]


def test_jobs_are_cancelled_and_retried_by_buttons(console: Console, app: Celery, jobs: Jobs) -> None:
    (console.settings.state / GATE).unlink(missing_ok=True)
    result = send(app, "Crossing", 12)
    job = until(lambda: jobs.intake.job_of(str(result.id)) or "")
    page = console.ask(f"/voxchord/jobs/{job}/page")
    assert page.status == 200
    assert "ferry" not in page.body.decode()
    assert b'id="job-cancel"' in page.body
    assert b'id="job-retry"' not in page.body, "it runs"
    busy = console.ask(f"/voxchord/jobs/{job}/retry", b"", method="POST")
    assert (busy.status, busy.json["error"]) == (
        409,
        f"option 'job': job {job} is running; `cancel` stops it",
    )

    cancelled = console.ask(f"/voxchord/jobs/{job}/cancel", b"", method="POST", headers=FORM)
    assert (cancelled.status, b"cancelled" in cancelled.body) == (200, True), "the page, after a redirect"
    with pytest.raises(Exception, match="cancelled"):
        result.get(timeout=60)
    assert state(console, job) == "cancelled"

    (console.settings.state / GATE).touch()
    again = console.ask(f"/voxchord/jobs/{job}/retry", b"", method="POST")
    assert (again.status, again.json) == (202, {"job": job})
    until(lambda: state(console, job) == "done", timeout_s=90)
    expected = [("cancel", None, "voxchord", "flower"), ("retry", None, "voxchord", "flower")]
    until(lambda: actions(console, job) == expected)
    assert "cancel by voxchord (flower)" in console.ask(f"/voxchord/jobs/{job}/page").body.decode()


def test_failed_segments_have_buttons(console: Console, app: Celery, jobs: Jobs) -> None:
    (console.settings.state / GATE).touch()
    job = send(app, "Bell", 3).get(timeout=60)["job"]
    key = jobs.plans.segment(job, 1).key  # as if it had failed
    for stage in ("spans", "audio"):
        jobs.store.objects.delete(stage_name(key, stage))
    jobs.outcomes.fail(job, 1, "the device <b>vanished</b>")
    jobs.outcomes.give_up(job, EngineError("the device vanished"))
    jobs.store.objects.delete(f"jobs/{job}/manifest")
    page = console.ask(f"/voxchord/jobs/{job}/page").body.decode()
    assert "Retry segment 1" in page
    assert "&lt;b&gt;vanished" in page
    wrong = console.ask(f"/voxchord/jobs/{job}/retry", b"segment=0", method="POST", headers=FORM)
    assert (wrong.status, b"segment 0 did not fail" in wrong.body) == (409, True)
    assert console.ask(f"/voxchord/jobs/{job}/retry", b"segment=x", method="POST", headers=FORM).status == 400
    console.ask(f"/voxchord/jobs/{job}/retry", b"segment=1", method="POST", headers=FORM)
    until(lambda: state(console, job) == "done", timeout_s=60)
    until(lambda: actions(console, job) == [("retry", 1, "voxchord", "flower")])


@pytest.mark.parametrize("forged", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://elsewhere.example"}])
@pytest.mark.parametrize("action", ["retry", "cancel"])
def test_forged_requests_are_refused(console: Console, action: str, forged: dict[str, str]) -> None:
    path = f"/voxchord/jobs/{'0' * 20}/{action}"
    assert console.ask(path, b"", method="POST", headers=forged).status == 403
    assert console.ask(path, b"", method="POST", credentials="").status == 401
    assert console.ask(path, b"", method="POST").status == 404, "an unknown job"
    assert console.ask(path).status == 405, "a link changes nothing"
