"""The service on one machine keeps its own processes up."""

from pathlib import Path

import psutil
import pytest
from celery import Celery

from bench.fleet import until
from pipeline.jobs import Jobs
from pipeline.store import Store
from tasks.local import LocalService
from tasks.settings import Settings
from tests.faults.conftest import SETTINGS
from tests.faults.scripts import script


def test_a_local_service_outlives_the_death_of_its_worker_and_of_its_broker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**SETTINGS, "VOXCHORD_STATE": "", "VOXCHORD_BROKER_URL": ""}.items():
        monkeypatch.setenv(name, value)
    settings = Settings(state=tmp_path / "state")
    with LocalService(settings, concurrency=1) as service:
        url = service.broker.start()
        app = Celery("another-app", broker=url, backend=url)
        jobs = Jobs(Store(settings.store_url))
        app.send_task(
            "voxchord.render",
            kwargs={"script": script("local", *["wait1"] * 4), "options": {"engine": "mischief"}},
            queue="voxchord",
        )
        job = until(jobs.opened, 60)[0]
        until(lambda: jobs.plan(job) and len(jobs.missing(jobs.need(job))) < 4, 60)
        service.processes[-1].kill()
        assert service.broker.process
        for server in psutil.Process(service.broker.process.pid).children():
            server.kill()
        manifest = until(lambda: jobs.manifest(job), 90)
        assert manifest
        assert manifest["segments"] == 4
        password = url.partition("//:")[2].partition("@")[0].encode()
        assert password
        for log in (settings.state / "logs").iterdir():
            assert password not in log.read_bytes(), log.name
        app.close()
