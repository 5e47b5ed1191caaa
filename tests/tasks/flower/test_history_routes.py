"""Tests of Flower routes for a job's report and a task's attempts."""

from typing import Any

import pytest
from celery import Celery
from sqlalchemy import Engine

from bench.harness.waiting import until
from db.database import open_database, writing
from db.queries.jobs import count_attempts
from db.schema import task_run
from tasks.flower.history_routes import ATTEMPTS_MAX
from tests.console import Console

SCRIPT = "Alice: The lock keeper counts the boats.\nBob: He has counted nine."


@pytest.fixture(scope="module")
def manifest(console: Console) -> dict[str, Any]:
    app = Celery(broker=console.broker, backend=console.broker)
    sent = app.send_task("voxchord.render", kwargs={"script": SCRIPT}, queue="voxchord")
    found: dict[str, Any] = sent.get(timeout=60)
    app.close()
    engine = open_database(console.settings.history_url, migrate=False)
    until(lambda: count_attempts(engine, found["job"]) >= 6)
    engine.dispose()
    return {**found, "task": sent.id}


def test_flower_serves_the_report_of_the_command_line(console: Console, manifest: dict[str, Any]) -> None:
    path = f"/voxchord/jobs/{manifest['job']}/report"
    until(lambda: b"stitch" in console.ask(path).body)  # its row is written within a second
    answer = console.ask(path)
    page = answer.body.decode()
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "script" not in answer.headers["Content-Security-Policy"], "falls under default-src 'none'"
    for part in (f"Job {manifest['job']}", "Findings", "Timeline", "diffusion", "stitch"):
        assert part in page
    assert "lock keeper" not in page


def test_attempts_are_served_as_html_and_json(console: Console, manifest: dict[str, Any]) -> None:
    path = f"/voxchord/tasks/{manifest['task']}"

    def attempts() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = console.ask(f"{path}?format=json").json.get("attempts", [])
        return found

    until(lambda: len(attempts()) > 1)  # the last row is written within a second
    rows = attempts()
    assert [row["task_name"] for row in rows] == ["voxchord.render", "voxchord.stitch"], (
        "one id, two attempts"
    )
    assert all(row["job"] == manifest["job"] and row["run_s"] > 0 for row in rows)
    assert None not in rows[0].values(), "what was not measured is left out"
    page = console.ask(path).body.decode()
    assert "attempt 2" in page
    assert "rss_peak_bytes" in page


def test_requests_without_password_are_refused(console: Console, manifest: dict[str, Any]) -> None:
    for path in (f"/voxchord/jobs/{manifest['job']}/report", f"/voxchord/tasks/{manifest['task']}"):
        assert console.ask(path, credentials="").status == 401
        assert console.ask(path, credentials="voxchord:guess").status == 401


def test_unknown_tasks_and_jobs_are_not_found(console: Console) -> None:
    for path in ("jobs/" + "0" * 20 + "/report", "tasks/none", "tasks/%3Cscript%3E", "jobs/x/report"):
        answer = console.ask(f"/voxchord/{path}")
        assert answer.status == 404, path
        assert b"<script>alert" not in answer.body


def test_reports_of_too_many_attempts_are_refused(console: Console) -> None:
    engine: Engine = open_database(console.settings.history_url, migrate=False)
    job = "b" * 20
    rows = [
        {
            "attempt_uid": f"{number:036d}",
            "task_id": "t",
            "task_name": "voxchord.text",
            "state": "SUCCESS",
            "job": job,
        }
        for number in range(ATTEMPTS_MAX + 1)
    ]
    with writing(engine) as connection:
        connection.execute(task_run.insert(), rows)
    try:
        assert console.ask(f"/voxchord/jobs/{job}/report").status == 413
    finally:
        with writing(engine) as connection:
            connection.execute(task_run.delete().where(task_run.c.job == job))
        engine.dispose()
