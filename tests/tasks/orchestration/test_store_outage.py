"""Tests of the rules for a store that is full or unreachable."""

import errno
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import Task, states

from pipeline.errors import EngineError, StoreError
from pipeline.store.artifacts import Store
from tasks.make_app import make_app
from tasks.orchestration.resources import VoxchordApp
from tasks.orchestration.store_outage import (
    PAUSED,
    reason,
    requeue_while_unavailable,
    wait_until_writable,
    writable,
)
from tasks.settings import Settings

JOB = "f" * 20
FULL = OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture
def app(tmp_path: Path) -> Iterator[VoxchordApp]:
    with make_app(
        Settings(state=tmp_path, store=str(tmp_path / "store"), metering=False), "memory://"
    ) as app:
        app.conf.result_failure_expires = None  # results in memory do not expire
        yield app


def block(store: Store) -> Path:
    """Let the store refuse all writes, like a full disk, by a file in place of a folder."""
    folder = Path(store.url) / "probe"
    folder.parent.mkdir(exist_ok=True)
    folder.write_bytes(b"")
    return folder


def run(app: VoxchordApp, work: Callable[[Task[..., Any]], None]) -> Any:
    """Run a function as a task of the app in this process; returns its result."""
    task = app.task(bind=True, shared=False, name="test.work", base=Task)(work)
    return task.apply(task_id="this-task")


def test_probe_of_a_writable_store_leaves_nothing(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    assert writable(store)
    assert list(store.objects.names("probe")) == []


def test_store_whose_folder_is_a_file_is_not_writable(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "store"))
    block(store)
    assert not writable(store)


def test_waiting_ends_soon_after_the_store_answers(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    blocked, began = block(store), time.monotonic()
    threading.Timer(0.1, blocked.unlink).start()
    wait_until_writable(store, check_s=0.02, hold_s=60)
    assert 0.1 <= time.monotonic() - began < 5


def test_another_worker_gets_its_chance_after_a_while(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    block(store)
    began = time.monotonic()
    wait_until_writable(store, check_s=0.02, hold_s=0.1)
    assert 0.1 <= time.monotonic() - began < 5


def test_errors_of_the_work_itself_pass_without_a_pause(app: VoxchordApp) -> None:
    def work(task: Task[..., Any]) -> None:
        with requeue_while_unavailable(app, JOB):
            raise EngineError("refused")

    began = time.monotonic()
    with pytest.raises(EngineError, match="refused"):
        run(app, work).get()
    assert time.monotonic() - began < 0.9, "the shortest pause is a second"


def test_waiting_roots_are_shown_as_paused_and_started_again(app: VoxchordApp) -> None:
    """A root that has ended keeps its result."""
    roots, backend = app.resources.roots, app.backend
    for root in ("waiting", "ended"):
        roots.join(JOB, root, "{}")
    backend.store_result("waiting", None, states.STARTED)
    backend.store_result("ended", {"manifest": 1}, states.SUCCESS)
    seen: list[tuple[str | None, str, str]] = []

    def observe() -> None:
        seen.append((reason(app, JOB), backend.get_state("waiting"), backend.get_state("ended")))

    def work(task: Task[..., Any]) -> None:
        threading.Timer(0.4, observe).start()
        with requeue_while_unavailable(app, JOB):
            raise StoreError("the store is full")

    assert run(app, work).state == states.REJECTED, "to be done again"
    assert seen == [("the store is full", PAUSED, states.SUCCESS)]
    assert (reason(app, JOB), backend.get_state("waiting")) == (None, states.STARTED)
    assert backend.get_result("ended") == {"manifest": 1}


def test_a_task_without_a_plan_is_its_own_root(app: VoxchordApp) -> None:
    seen: list[str] = []

    def work(task: Task[..., Any]) -> None:
        threading.Timer(0.4, lambda: seen.append(app.backend.get_state("this-task"))).start()
        with requeue_while_unavailable(app):
            raise FULL

    assert run(app, work).state == states.REJECTED
    assert seen == [PAUSED]
