"""Tests of waiting commands during a short broker outage."""

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from bench.harness.fleet import Fleet
from bench.harness.waiting import until
from pipeline.jobs.jobs import Jobs
from pipeline.store.artifacts import Store
from tasks.local.processes import ROOT
from tests.faults.scripts import script
from tests.tools import thorough

LIMIT_S = 90
AWAY_S = 2.0


Start = Callable[..., subprocess.Popen[str]]


pytestmark = thorough


@pytest.fixture
def start(fleet: Fleet) -> Iterator[Start]:
    """Start a command in its own process, with the fleet's broker and store."""
    with contextlib.ExitStack() as started:

        def start(*arguments: object, **environment: str) -> subprocess.Popen[str]:
            process = subprocess.Popen(
                [sys.executable, "voxchord.py", *map(str, arguments)],
                cwd=ROOT,
                env={**fleet.environment, "COLUMNS": "200", **environment},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            started.enter_context(process)
            started.callback(process.kill)
            return process

        yield start


def ended(process: subprocess.Popen[str]) -> str:
    """Wait for a successful end; returns the output."""
    printed, complaints = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0, complaints
    assert "Traceback" not in complaints
    return printed


def test_commands_survive_a_broker_outage(fleet: Fleet, start: Start, tmp_path: Path) -> None:
    source, other = tmp_path / "script.txt", tmp_path / "other.txt"
    source.write_text(script("away", *["wait1.5"] * 6))
    other.write_text(script("later", "", ""))
    known = fleet.planned()
    shown = start("render", source, "-o", tmp_path / "shown.wav")
    quiet = start("render", source, "-o", tmp_path / "quiet.wav", "--json")
    job = fleet.job(known)
    watching = start("status", job, "--watch")
    until(lambda: len(fleet.roots.waiting(job)) == 2, LIMIT_S)  # both renders have been heard
    fleet.kill_broker()
    asking = start("status", job, "--json")  # begins while it is away, as does the next
    sending = start("render", other, "-o", tmp_path / "later.wav", "--json")
    time.sleep(AWAY_S)
    assert [each.poll() for each in (shown, quiet, watching, sending)] == [None] * 4
    fleet.start_broker()
    assert json.loads(ended(asking))["job"] == job
    assert json.loads(ended(quiet))["segments"] == 6
    assert "times real time" in ended(shown)
    assert "SUCCEEDED" in ended(watching)
    assert (tmp_path / "shown.wav").read_bytes() == (tmp_path / "quiet.wav").read_bytes()
    assert json.loads(ended(sending))["segments"] == 2


def test_render_repeats_requests_lost_by_the_broker(fleet: Fleet, start: Start, tmp_path: Path) -> None:
    source = tmp_path / "script.txt"
    source.write_text(script("lost", "", ""))
    fleet.kill("intake")
    rendering = start("render", source, "-o", tmp_path / "lost.wav", "--json")
    until(lambda: any(b"voxchord.render" in payload for _, payload in fleet.payloads()), LIMIT_S)
    fleet.client.flushall()
    fleet.start("intake")
    assert json.loads(ended(rendering))["segments"] == 2


def test_render_survives_the_death_of_its_broker(start: Start, tmp_path: Path) -> None:
    """Kill the embedded broker, which its supervisor restarts at the same URL."""
    source, store = tmp_path / "script.txt", tmp_path / "state" / "store"
    source.write_text(script("own", *["wait1"] * 4))
    own = {"VOXCHORD_STATE": str(tmp_path / "state"), "VOXCHORD_STORE": "", "VOXCHORD_BROKER_URL": ""}
    rendering = start("render", source, "-o", tmp_path / "own.wav", "--json", **own)
    jobs = Jobs(Store(str(store)))
    plan = until(lambda: next(jobs.plans.open_jobs(), None), LIMIT_S)
    assert plan
    until(lambda: len(jobs.artifacts.missing(plan)) < 4, LIMIT_S)
    family = psutil.Process(rendering.pid).children(recursive=True)
    (server,) = (each for each in family if "valkey" in each.name())
    server.kill()
    assert json.loads(ended(rendering))["segments"] == 4
