"""Tests of requests that join a job while another client withdraws, on a real broker."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.harness.services import valkey
from bench.harness.silence import Silence
from pipeline.jobs.plans import Plan
from pipeline.planning.request import checked, split_options
from pipeline.script.parser import parse
from pipeline.store.objects import Objects
from pipeline.voices.library import Voices
from tasks.broker.result_backend import redis_client
from tasks.make_app import make_app
from tasks.orchestration import chord, waiters
from tasks.orchestration.job_lock import job_locked
from tasks.orchestration.resources import VoxchordApp
from tasks.render import Publication
from tasks.settings import Settings

LEAVING, JOINING = "leaving", "joining"
LIMIT_S, WAIT_S = 20.0, 0.5


class PausedWrite:
    """Objects of a store that pause before they replace an object."""

    def __init__(self, objects: Objects, part: str) -> None:
        self._objects, self._part = objects, part
        self.reached, self.resumed = threading.Event(), threading.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._objects, name)

    def replace(self, name: str, data: bytes) -> None:
        if self._part in name:
            self.reached.set()
            assert self.resumed.wait(LIMIT_S)
        self._objects.replace(name, data)


@pytest.fixture(scope="module")
def broker() -> Iterator[str]:
    with valkey() as url:
        yield url


def app_of(state: Path, broker: str) -> VoxchordApp:
    """An app with a connection of its own to the broker."""
    return make_app(Settings(state=state, metering=False), broker)


@pytest.fixture
def leaving(tmp_path: Path, broker: str) -> Iterator[VoxchordApp]:
    with app_of(tmp_path, broker) as app:
        yield app


@pytest.fixture
def joining(tmp_path: Path, broker: str) -> Iterator[VoxchordApp]:
    with app_of(tmp_path, broker) as app:
        yield app


@pytest.fixture
def plan(leaving: VoxchordApp) -> Plan:
    """A running job that one root waits for."""
    own, rest = split_options({}, engine="silence")
    jobs, script = leaving.resources.jobs, parse("Anna: Good morning.", characters_max=1000)
    request = checked(script, {}, own, rest, engine=Silence(), registered=Voices(jobs.store), checker="")
    plan = jobs.plans.create(request, Silence.profile)
    join(leaving, plan, LEAVING)
    assert leaving.resources.roots.claimed_by(plan.job) == LEAVING
    assert leaving.resources.roots.sent(plan.job)
    return plan


def join(app: VoxchordApp, plan: Plan, root: str) -> None:
    Publication(app, root, chord.stitch_of(app, plan.job).set(task_id=root), {}).delay()


def paused(app: VoxchordApp, part: str) -> PausedWrite:
    store = app.resources.jobs.store
    store.objects = PausedWrite(store.objects, part)
    return store.objects


def started(work: Any, *args: Any) -> threading.Thread:
    thread = threading.Thread(target=work, args=args, daemon=True)
    thread.start()
    return thread


def ended(*threads: threading.Thread) -> None:
    for thread in threads:
        thread.join(LIMIT_S)
        assert not thread.is_alive()


def test_a_client_that_joins_while_the_only_other_one_withdraws_has_the_job(
    leaving: VoxchordApp, joining: VoxchordApp, plan: Plan
) -> None:
    """The one that joins has checked that the job is open, and is not yet among its waiters."""
    pause = paused(joining, "/roots/")
    joins = started(join, joining, plan, JOINING)
    assert pause.reached.wait(LIMIT_S)
    leaves = started(waiters.withdraw, leaving, plan.job, LEAVING)
    leaves.join(WAIT_S)
    assert leaves.is_alive(), "it waits until the other one has joined"
    pause.resumed.set()
    ended(joins, leaves)
    jobs, roots = leaving.resources.jobs, leaving.resources.roots
    assert list(roots.waiting(plan.job)) == [JOINING]
    assert not jobs.coordination.cancelled(plan.job)
    assert not jobs.outcomes.closed(plan.job)
    assert jobs.coordination.is_open(plan.job)
    assert jobs.coordination.run_no(plan.job) == 1, "the run goes on"


def test_a_client_that_joins_while_the_job_is_closed_starts_it_again(
    leaving: VoxchordApp, joining: VoxchordApp, plan: Plan
) -> None:
    """The other one has decided that nobody else waits, and has cancelled the job, but not closed it."""
    pause = paused(leaving, "/failure")
    leaves = started(waiters.withdraw, leaving, plan.job, LEAVING)
    assert pause.reached.wait(LIMIT_S)
    assert leaving.resources.jobs.coordination.cancelled(plan.job)
    joins = started(join, joining, plan, JOINING)
    joins.join(WAIT_S)
    assert joins.is_alive(), "it waits until the job is closed"
    pause.resumed.set()
    ended(joins, leaves)
    jobs, roots = joining.resources.jobs, joining.resources.roots
    assert list(roots.waiting(plan.job)) == [JOINING]
    assert roots.claimed_by(plan.job) == JOINING, "it sends the segments"
    assert not jobs.coordination.cancelled(plan.job)
    assert not jobs.outcomes.closed(plan.job)
    assert jobs.coordination.is_open(plan.job)
    assert jobs.coordination.run_no(plan.job) == 2


def test_a_job_that_ended_with_its_file_is_not_started_again(
    leaving: VoxchordApp, joining: VoxchordApp, plan: Plan
) -> None:
    jobs = leaving.resources.jobs
    jobs.store.objects.create("jobs/audio", b"audio")
    jobs.outcomes.finish(plan.job, {"version": 1, "audio": {"name": "jobs/audio", "bytes": 5}})
    join(joining, plan, JOINING)
    assert jobs.outcomes.manifest(plan.job) is not None
    assert jobs.coordination.run_no(plan.job) == 1


def test_a_process_that_died_with_the_lock_delays_others_for_a_moment(
    leaving: VoxchordApp, joining: VoxchordApp, plan: Plan
) -> None:
    client: Any = redis_client(leaving)
    client.set(f"voxchord.job_lock.{plan.job}", "a dead process", px=200)
    with job_locked(joining, plan.job):
        assert 0 < client.pttl(f"voxchord.job_lock.{plan.job}") <= 15_000, "it would expire, too"
    assert client.exists(f"voxchord.job_lock.{plan.job}") == 0


def test_without_an_answer_of_the_server_the_work_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with app_of(tmp_path, "redis://127.0.0.1:1/0") as app, job_locked(app, "3f"):
        assert "a job is not locked" in caplog.text


def test_a_server_that_dies_meanwhile_does_not_fail_the_work(tmp_path: Path) -> None:
    with valkey() as url:
        app = app_of(tmp_path, url)
        locked = job_locked(app, "3f")
        locked.__enter__()
    locked.__exit__(None, None, None)
    app.close()
