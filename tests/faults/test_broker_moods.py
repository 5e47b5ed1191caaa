"""Tests of a broker that lives but refuses: jobs go on when it recovers, and the reason is reported."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import OutOfMemoryError

from bench.harness.fleet import Fleet
from bench.harness.waiting import until
from tasks.broker.refusals import refusal
from tasks.local.processes import ROOT
from tasks.make_app import make_app
from tasks.orchestration.resources import VoxchordApp
from tasks.settings import load
from tests.faults.conftest import SETTINGS, running_fleet
from tests.faults.scripts import script

pytestmark = pytest.mark.slow
LIMIT_S = 90
MOOD_S = 3.0


@pytest.fixture(scope="module")
def moody(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with running_fleet(tmp_path_factory.mktemp("moods")) as fleet:
        yield fleet


@pytest.fixture
def admin(moody: Fleet) -> Iterator[Any]:
    """A connection that was open before the mood, and that the server spares."""
    with moody.client as client:
        client.ping()
        yield client
        recovered(client, moody)
        client.config_set("maxmemory-policy", "noeviction")


@pytest.fixture
def app(moody: Fleet) -> Iterator[VoxchordApp]:
    with make_app(load(moody.environment), moody.url) as app:
        yield app


def kill_clients(admin: Any) -> None:
    admin.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")


def read_only(admin: Any, fleet: Fleet) -> None:
    admin.execute_command("REPLICAOF", "127.0.0.1", "1")


def full(admin: Any, fleet: Fleet) -> None:
    admin.config_set("maxmemory", 1)


def unsavable(admin: Any, fleet: Fleet) -> None:
    """A directory is where the snapshot would be renamed to."""
    snapshot = Path(admin.config_get("dir")["dir"]) / admin.config_get("dbfilename")["dbfilename"]
    snapshot.unlink(missing_ok=True)
    snapshot.mkdir()
    admin.config_set("save", "3600 1")
    admin.set("changed", 1)
    admin.bgsave()
    until(lambda: admin.info("persistence")["rdb_last_bgsave_status"] == "err")


def crowded(admin: Any, fleet: Fleet) -> None:
    admin.config_set("maxclients", 1)
    kill_clients(admin)


def rotated(admin: Any, fleet: Fleet) -> None:
    admin.execute_command("ACL", "SETUSER", "default", "resetpass", ">another")
    kill_clients(admin)


def rotated_back(admin: Any, fleet: Fleet) -> None:
    password = fleet.url.partition("://:")[2].partition("@")[0]
    admin.execute_command("ACL", "SETUSER", "default", "resetpass", f">{password}")


def recovered(admin: Any, fleet: Fleet) -> None:
    admin.execute_command("REPLICAOF", "NO", "ONE")
    admin.config_set("maxmemory", 0)
    admin.config_set("maxclients", 10_000)
    admin.config_set("save", "")


def started_job(fleet: Fleet, name: str) -> str:
    known = fleet.planned()
    fleet.send(script(name, *(["wait1"] * 6)))
    job = fleet.job(known)
    until(lambda: any(each == job for each, _ in fleet.trying("diffusion")), 30)
    return job


def status(fleet: Fleet, job: str) -> str:
    """Output of the command `status`."""
    command = [sys.executable, "voxchord.py", "status", job]
    environment = {**fleet.environment, "COLUMNS": "200"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def assert_finishes(fleet: Fleet, job: str) -> None:
    """Wait for the job, and start workers again that exit, as `up`, systemd and Compose do."""

    def closed() -> bool:
        fleet.restart_exited()
        return fleet.jobs.outcomes.closed(job)

    until(closed, LIMIT_S)
    manifest = fleet.jobs.outcomes.manifest(job)
    assert manifest is not None, fleet.jobs.outcomes.failure(job)
    assert (manifest["state"], manifest["segments"]) == ("done", 6)


@pytest.mark.parametrize(
    ("mood", "relief", "reason"),
    [
        (read_only, recovered, "the broker is a read-only replica"),
        (full, recovered, "the broker's memory is full"),
        (unsavable, recovered, "the broker cannot save to its disk"),
        (crowded, recovered, "the broker has too many clients"),
        (rotated, rotated_back, "the broker refuses the password"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_jobs_outlive_brokers_that_refuse(
    moody: Fleet,
    admin: Any,
    app: VoxchordApp,
    mood: Callable[[Any, Fleet], None],
    relief: Callable[[Any, Fleet], None],
    reason: str,
) -> None:
    job = started_job(moody, mood.__name__)
    before = {name: process.pid for name, process in moody.workers.items()}
    assert refusal(app) is None
    mood(admin, moody)
    assert refusal(app) == reason
    assert reason in status(moody, job)
    time.sleep(MOOD_S)
    relief(admin, moody)
    assert_finishes(moody, job)
    after = {name: process.pid for name, process in moody.workers.items()}
    assert after == before, "no worker ended"


def test_jobs_outlive_a_broker_that_loads_its_data(tmp_path: Path) -> None:
    """Restart a broker with many keys, slowed down: it answers LOADING for some seconds."""
    slow = {"key-load-delay": "5000", "loading-process-events-interval-bytes": "1024"}
    with (
        running_fleet(tmp_path, broker_config=slow) as fleet,
        make_app(load(fleet.environment), fleet.url) as app,
        fleet.client as admin,
    ):
        for number in range(3000):
            admin.set(f"ballast {number}", bytes(2000))
        job = started_job(fleet, "loading")
        before = {name: process.pid for name, process in fleet.workers.items()}
        admin.bgrewriteaof()
        until(lambda: not admin.info("persistence")["aof_rewrite_in_progress"])
        fleet.kill_broker()
        starting = threading.Thread(target=fleet.start_broker)
        starting.start()
        until(lambda: refusal(app) == "the broker is loading its data")
        assert "the broker is loading its data" in status(fleet, job)
        starting.join()
        assert_finishes(fleet, job)
        assert before == {name: process.pid for name, process in fleet.workers.items()}, "no worker ended"


def test_jobs_outlive_killed_clients(moody: Fleet, admin: Any) -> None:
    job = started_job(moody, "killed")
    for _ in range(3):
        kill_clients(admin)
        time.sleep(0.5)
    assert_finishes(moody, job)


def test_jobs_outlive_evicted_messages(moody: Fleet, admin: Any) -> None:
    """With allkeys-lru a full broker drops messages, and the reconciler sends the segments again."""
    job = started_job(moody, "evicted")
    admin.config_set("maxmemory-policy", "allkeys-lru")
    admin.config_set("maxmemory", 1)
    with suppress(OutOfMemoryError):
        admin.set("one more", 1, ex=1)
    assert admin.info("stats")["evicted_keys"] > 0
    time.sleep(MOOD_S)
    admin.config_set("maxmemory", 0)
    admin.config_set("maxmemory-policy", "noeviction")
    assert_finishes(moody, job)


def test_purged_queues_are_filled_again(moody: Fleet, app: VoxchordApp) -> None:
    """Delete the messages that `celery purge` deletes."""
    job = started_job(moody, "purged")
    app.control.purge()
    assert_finishes(moody, job)


def test_commands_of_operators_lose_nothing(moody: Fleet, app: VoxchordApp) -> None:
    """Send the commands of `celery control` and of the buttons on Flower's worker page."""
    job = started_job(moody, "operated")
    app.control.cancel_consumer("cpu.stitch")
    app.control.pool_shrink(0)
    app.control.pool_grow(1)
    app.control.pool_shrink(1)
    app.control.rate_limit("voxchord.diffusion", "100/s")
    app.control.time_limit("voxchord.text", soft=60, hard=120)
    app.control.disable_events()
    assert app.control.inspect(timeout=2).active()
    time.sleep(MOOD_S)
    app.control.add_consumer("cpu.stitch")
    app.control.enable_events()
    app.control.rate_limit("voxchord.diffusion", "0")
    assert_finishes(moody, job)


def test_pools_keep_a_process(moody: Fleet, app: VoxchordApp) -> None:
    """Shrink an idle pool of one as Flower's button does, and by none, which Celery takes for one."""
    intake = [f"intake@{socket.gethostname()}"]
    shrunk = [app.control.pool_shrink(n, destination=intake, reply=True) for n in (0, 1, 2, -1)]
    answers = [answer["error"] for each in shrunk for answers in each or () for answer in answers.values()]
    assert [answer.split(";")[0] for answer in answers] == [
        "cannot shrink a pool by 0 processes",
        "a pool keeps one process",
        "a pool keeps one process",
        "cannot shrink a pool by -1 processes",
    ]
    assert len(moody.children("intake")) == 1


def test_workers_with_an_empty_pool_end(tmp_path: Path) -> None:
    """A pool without processes starts nothing, so its worker hands its messages back and exits."""
    pools = {"intake": ("-P", "prefork", "-c", "1", "-I", "tests.faults.emptied_pool")}
    with Fleet(tmp_path, settings=SETTINGS, layout={"intake": "voxchord"}, pools=pools, forked=True) as fleet:
        fleet.start()
        fleet.ready()
        until(lambda: "ok" in str(fleet.app.control.broadcast("empty_pool", reply=True, timeout=5)), 30)
        fleet.send(script("empty", "plain"))
        until(lambda: fleet.workers["intake"].poll() is not None, 30)
        assert b"no progress: requeueing" in fleet.log("intake")
        fleet.restart_exited()
        assert fleet.job()
