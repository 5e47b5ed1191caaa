"""Fixtures: a real service with an embedded broker, an intake worker and two decoding processes.

It has the engine of bad takes beside the embedded voice.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from sqlalchemy import Engine, select

from bench.harness import forked, results
from bench.harness.waiting import until
from db.database import open_database
from db.schema import task_run
from pipeline.jobs.jobs import Jobs
from pipeline.store.artifacts import Store
from tasks.local.service import LocalService
from tasks.settings import Settings
from tests import takes


@dataclass(frozen=True, slots=True)
class Service:
    """A service from the view of another app, with access to its store and history."""

    app: Celery
    settings: Settings
    jobs: Jobs
    history: Engine

    def send(self, script: Any, *, voices: Any = None, options: Any = None) -> Any:
        kwargs = {"script": script, "voices": voices or {}, "options": options or {}}
        return self.app.send_task("voxchord.render", kwargs=kwargs, queue="voxchord")

    def render(self, script: Any, *, voices: Any = None, options: Any = None) -> dict[str, Any]:
        manifest: dict[str, Any] = self.send(script, voices=voices, options=options).get(timeout=60)
        return manifest

    def audio(self, manifest: dict[str, Any]) -> bytes:
        data = self.jobs.store.objects.read(manifest["audio"]["name"])
        assert data is not None
        return data

    def attempts(self, job: str, task: str, expected: int = 1) -> list[dict[str, Any]]:
        """Wait for that many rows of a job's attempts at one task."""
        query = select(task_run).where(task_run.c.job == job, task_run.c.task_name == f"voxchord.{task}")

        def rows() -> list[dict[str, Any]]:
            with self.history.connect() as connection:
                return [dict(row) for row in connection.execute(query).mappings()]

        until(lambda: len(rows()) >= expected)
        return rows()


@pytest.fixture(scope="package")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    name, _, place = takes.SETTING.partition("=")
    settings = Settings(state=Path(tmp_path_factory.mktemp("service")), engines={name: place})
    with LocalService(settings, concurrency=2, spawn=forked.spawn) as local:
        app = Celery("another-app", broker=local.broker_url, backend=local.broker_url)
        history = open_database(settings.history_url)
        yield Service(app, settings, Jobs(Store(settings.store_url)), history)
        history.dispose()
        results.close(app)
