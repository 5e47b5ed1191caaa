"""Tests of the isolation of fleets on one machine."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
import redis

from bench.harness.waiting import until
from tasks.local.processes import ROOT
from tasks.local.valkey import Valkey
from tests.processes import ended

_LIMIT_S = 60
_FLEET = """
import sys, time
from pathlib import Path
from bench.harness.fleet import Fleet
fleet = Fleet(Path(sys.argv[1]), layout={"intake": "voxchord"})
fleet.start()
fleet.ready()
print(fleet.workers["intake"].pid, fleet.broker_pid, flush=True)
time.sleep(600)
"""


def test_passwords_of_other_servers_are_refused(tmp_path: Path) -> None:
    earlier, server = Valkey(tmp_path / "earlier"), Valkey(tmp_path / "server", appendonly="yes")
    earlier.start()
    server.start()
    user, place = earlier.url.rpartition("@")[0], server.url.rpartition("@")[2]
    earlier.stop()
    for url in (f"{user}@{place}", f"redis://{place}", f"redis://:word@{place}"):
        with redis.Redis.from_url(url) as stranger, pytest.raises(redis.RedisError):
            stranger.brpop(["voxchord"], 1)
    server.stop()


def test_servers_started_at_once_have_different_ports(tmp_path: Path) -> None:
    servers = [Valkey(tmp_path / str(number)) for number in range(4)]
    with ThreadPoolExecutor(len(servers)) as threads:
        list(threads.map(Valkey.start, servers))
    assert len({server.port for server in servers}) == len(servers)
    for server in servers:
        server.stop()


def test_killed_servers_restart_with_their_data_and_url(tmp_path: Path) -> None:
    server = Valkey(tmp_path, appendonly="yes", appendfsync="always")
    server.start()
    url = server.url
    server.client.set("retained", 1)
    server.kill()
    server.start()
    assert (server.url, server.client.get("retained")) == (url, b"1")
    server.stop()


def test_workers_end_with_the_run_that_started_them(tmp_path: Path) -> None:
    run = subprocess.Popen(
        [sys.executable, "-c", _FLEET, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    with run:
        assert run.stdout
        intake, broker = map(psutil.Process, map(int, run.stdout.readline().split()))
        family = [intake, *intake.children(recursive=True)]
        run.kill()
    until(lambda: all(ended(process) for process in family), _LIMIT_S)
    broker.kill()
