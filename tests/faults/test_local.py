"""Tests of the local service's supervision of its processes."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from celery import Celery

from bench.harness import results
from bench.harness.waiting import until
from pipeline.jobs.jobs import Jobs
from pipeline.store.artifacts import Store
from tasks.local.embedded_broker import EmbeddedBroker, url_of_running
from tasks.local.processes import ROOT
from tasks.local.service import LocalService
from tasks.settings import load
from tests.faults.conftest import SETTINGS
from tests.faults.scripts import script
from tests.tools import slow


@pytest.mark.slow
def test_local_services_survive_the_death_of_worker_and_broker(tmp_path: Path) -> None:
    settings = replace(load(SETTINGS), state=tmp_path / "state")
    with LocalService(settings, concurrency=1) as service:
        url = service.broker_url
        app = Celery("another-app", broker=url, backend=url)
        jobs = Jobs(Store(settings.store_url))
        app.send_task(
            "voxchord.render",
            kwargs={"script": script("local", *["wait1"] * 4), "options": {"engine": "mischief"}},
            queue="voxchord",
        )
        plan = until(lambda: next(jobs.plans.open_jobs(), None), 60)
        assert plan
        until(lambda: len(jobs.artifacts.missing(plan)) < 4, 60)
        service.processes[-1].kill()
        assert service.broker.process
        for server in psutil.Process(service.broker.process.pid).children():
            server.kill()
        manifest = until(lambda: jobs.outcomes.manifest(plan.job), 90)
        assert manifest
        assert manifest["segments"] == 4
        password = (urlsplit(url).password or "").encode()
        assert password
        for log in (settings.state / "logs").iterdir():
            assert password not in log.read_bytes(), log.name
        results.close(app)


@contextmanager
def up(state: Path) -> Iterator[tuple["subprocess.Popen[bytes]", list[psutil.Process]]]:
    """Start `up` with Flower; returns the command and all processes it started."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [sys.executable, "voxchord.py", "up", "--workers", "1", "--flower-port", str(port)]
    # without the broker of a service that other tests have up: `up` would use that one
    clean = {name: value for name, value in os.environ.items() if not name.startswith("VOXCHORD_")}
    environment = {**clean, "VOXCHORD_STATE": str(state), "VOXCHORD_LOG_LEVEL": "INFO"}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    started: list[psutil.Process] = []
    try:
        for name in ("intake", "work"):
            until(lambda name=name: b" ready." in log(state, name), 90)  # type: ignore[misc]  # its default
        until(lambda: listens(port), 90)
        started = psutil.Process(process.pid).children(recursive=True)
        yield process, started
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        for each in psutil.wait_procs(started, 1)[1]:
            each.kill()


def log(state: Path, name: str) -> bytes:
    path = state / "logs" / f"{name}.log"
    return path.read_bytes() if path.exists() else b""


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), slow(signal.SIGKILL, -signal.SIGKILL)])
def test_up_stops_everything_it_started(tmp_path: Path, number: signal.Signals, code: int) -> None:
    """Kill the command: broker, workers and Flower end too."""
    with up(tmp_path / "state") as (command, started):
        assert any("flower" in process.cmdline() for process in started)
        command.send_signal(number)
        assert command.wait(120) == code
        _, alive = psutil.wait_procs(started, 60)
        assert not alive


def command_line(process: psutil.Process) -> str:
    """Command line of a process; empty once it has ended."""
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:  # or a zombie, which is one too
        return ""


def process_of(started: list[psutil.Process], word: str) -> psutil.Process:
    (found,) = [
        each
        for each in started
        if word in command_line(each) and word not in command_line(each.parent() or each)
    ]
    return found


@pytest.mark.slow
def test_up_restarts_flower_and_the_keeper_of_the_broker(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with up(state) as (command, started):
        url = (state / "broker.url").read_text()
        server = process_of(started, "valkey-server")
        console, keeper = (
            process_of(started, word) for word in ("tasks.app flower", "tasks.local.embedded_broker")
        )
        console.kill()
        keeper.kill()
        until(lambda: not server.is_running() or server.status() == psutil.STATUS_ZOMBIE, 30)

        def now() -> list[psutil.Process]:
            return list(psutil.Process(command.pid).children(recursive=True))

        until(lambda: [each for each in now() if "tasks.app flower" in command_line(each)], 30)
        until(lambda: url_of_running(state), 30)
        assert (state / "broker.url").read_text() == url, "clients find it again"
        app = Celery("another-app", broker=url.strip(), backend=url.strip())
        sent = app.send_task("voxchord.render", kwargs={"script": "Anna: Good morning."}, queue="voxchord")
        assert sent.get(timeout=60)["state"] == "done"
        results.close(app)
        running = now()
        command.send_signal(signal.SIGTERM)
        assert command.wait(90) == 0
        _gone, alive = psutil.wait_procs(running, 20)
        assert not alive, "no process is left over"


def test_a_left_over_broker_does_not_block_the_next_service(tmp_path: Path) -> None:
    state = tmp_path / "state"
    first = EmbeddedBroker(state)
    url = first.start()
    assert first.process
    (server,) = psutil.Process(first.process.pid).children()
    first.process.kill()
    first.process.wait()
    assert server.is_running()
    assert url_of_running(state) is None
    second = EmbeddedBroker(state)
    assert second.start() == url
    assert not server.is_running() or server.status() == psutil.STATUS_ZOMBIE
    second.stop()
    first.stop()
