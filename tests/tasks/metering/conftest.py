"""Fixtures: a real worker on a real broker, writing to a real database."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from celery.signals import before_task_publish
from sqlalchemy import Engine, select

from bench.harness import forked, results
from bench.harness.services import Postgres, postgres, valkey
from bench.harness.waiting import until
from db.database import open_database
from db.ingest import spool
from db.schema import task_run, task_sample
from tasks.local.processes import Process
from tasks.metering.request_identity import stamp_published

Row = dict[str, Any]
STOP_S = 60
"""Grace for a child whose result arrives during shutdown: it waits 30 s for its reader (billiard/pool.py,
GUARANTEE_MESSAGE_CONSUMPTION_RETRY_LIMIT)."""

collect_ignore = ["worker_app.py"]  # a worker's app: the environment tells it where to go


@pytest.fixture(scope="package", autouse=True)
def _stamps() -> Iterator[None]:
    """Messages carry the time when they were published, as those of the project's own app do."""
    before_task_publish.connect(stamp_published)
    yield
    before_task_publish.disconnect(stamp_published)


@pytest.fixture(scope="package")
def broker() -> Iterator[str]:
    with valkey() as url:
        yield url


@pytest.fixture(scope="package")
def postgres_server() -> Iterator[Postgres]:
    with postgres(durable=False) as server:
        yield server


class Bench:
    """A worker with the sending app and its history."""

    def __init__(self, broker: str, folder: Path, url: str, queue: str) -> None:
        self.folder, self.url, self.queue = folder, url, queue
        self.engine: Engine = open_database(url)
        self.app = Celery("sender", broker=broker, backend=broker)
        self.environment = os.environ | {
            "TEST_BROKER": broker,
            "TEST_FOLDER": str(folder),
            "TEST_DATABASE": url,
        }

    @contextmanager
    def worker(self, *options: str) -> Iterator[Process]:
        """Run a worker, by default with one process, and stop it warmly at the end."""
        command = [sys.executable, "-m", "celery", "-A", "tests.tasks.metering.worker_app", "worker"]
        command += ["-n", f"{self.queue}@%h", "-Q", self.queue, "-l", "INFO"]
        command += ["--without-gossip", "--without-mingle"]
        command += options or ("-c", "1")
        with (self.folder / "worker.log").open("ab") as log:
            process = forked.start(command, self.environment, log)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.kill_group(process)
                process.wait()
                raise

    def kill_group(self, worker: Process) -> None:
        """Kill main process and children at once, as a power failure would."""
        os.killpg(worker.pid, signal.SIGKILL)

    def is_running(self, task_id: str) -> bool:
        """True if a flight recorder shows the task as running."""
        return any(task_id.encode() in path.read_bytes() for path in (self.folder / "open").glob("*.open"))

    def send(self, name: str, *args: Any, **facts: Any) -> str:
        """Send a task of the worker; returns its ID."""
        full = f"tests.tasks.metering.worker_app.{name}"
        return str(self.app.send_task(full, args=args, kwargs=facts, queue=self.queue).id)

    def rows(self, task_id: str | None = None) -> list[Row]:
        query = select(task_run).order_by(task_run.c.started_at)
        if task_id is not None:
            query = query.where(task_run.c.task_id == task_id)
        with self.engine.connect() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def spooled(self) -> dict[str, set[str]]:
        """Spooled fields, by table."""
        found: dict[str, set[str]] = {}
        for path in spool.files(self.folder / "spool"):
            for line in path.read_text().splitlines():
                record = json.loads(line)
                found.setdefault(record["t"], set()).update(record["r"])
        return found

    def samples(self, attempt_uid: str) -> list[Row]:
        with self.engine.connect() as connection:
            query = select(task_sample).where(task_sample.c.attempt_uid == attempt_uid)
            return [dict(row) for row in connection.execute(query).mappings()]

    def wait_for(self, task_id: str, count: int = 1, timeout_s: float = 30.0) -> list[Row]:
        """Wait for that many rows of a task."""
        until(lambda: len(self.rows(task_id)) >= count, timeout_s)
        return self.rows(task_id)


def open_bench(broker: str, folder: Path, url: str) -> Iterator[Bench]:
    bench = Bench(broker, folder, url, queue=f"q-{folder.name}")
    yield bench
    bench.engine.dispose()
    results.close(bench.app)


@pytest.fixture
def bench(broker: str, tmp_path: Path) -> Iterator[Bench]:
    """History without a worker, which the test starts."""
    yield from open_bench(broker, tmp_path, f"sqlite:///{tmp_path}/history.db")


@pytest.fixture(scope="module")
def worker(broker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Worker shared by all tests that leave it intact."""
    folder = tmp_path_factory.mktemp("worker")
    for bench in open_bench(broker, folder, f"sqlite:///{folder}/history.db"):
        with bench.worker():
            yield bench
