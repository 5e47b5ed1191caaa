"""What keeps killing its worker is set aside: attempts are noted in the store before they begin.

Celery counts the deaths of a pool's child, in the message, but not those of a whole worker. A note that is
still there when the work comes again, and whose process is gone, is a death; a restart of the broker
doesn't forget it.
"""

import functools
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from typing import Any

import psutil

from pipeline.errors import PoisonError, StoreError
from tasks.app import settings
from tasks.orchestration.resources import jobs
from tasks.orchestration.stage_control import StageControl

_alone = threading.Lock()
"""Held by work that a worker died of, so that its neighbours in a pool of threads are not blamed again."""
_WAIT_S = 0.5


@contextmanager
def noted(job: str, work: str, control: StageControl | None = None) -> Iterator[None]:
    """Note an attempt at some work of a job, as `<segment>.<stage>` or `stitch`, while the body runs.

    Raises:
        PoisonError: it has ended its process as often as is allowed.
    """
    deaths = sum(not _lives(where) for where in jobs().coordination.open_attempts(job, work))
    if deaths >= settings.attempts_max:
        raise PoisonError(deaths)
    with _quarantine(control) if deaths else nullcontext():
        attempt = uuid.uuid4().hex
        jobs().coordination.begin(job, work, attempt, _here(os.getpid()))
        try:
            yield
        finally:
            with suppress(StoreError):
                jobs().coordination.end(job, work, attempt)


@contextmanager
def _quarantine(control: StageControl | None) -> Iterator[None]:
    since = time.monotonic()
    while not _alone.acquire(timeout=_WAIT_S):
        if control:
            now = time.monotonic()
            control.stood_still(now - since)
            control.check()
            since = now
    try:
        yield
    finally:
        _alone.release()


@functools.cache
def _here(pid: int) -> Mapping[str, Any]:
    return {"host": socket.gethostname(), "pid": pid, "since": psutil.Process(pid).create_time()}


def _lives(where: Mapping[str, Any]) -> bool:
    """Whether the process is still there. That of another machine is not: work comes again after a death."""
    if where["host"] != socket.gethostname():
        return False
    try:
        return bool(psutil.Process(where["pid"]).create_time() == where["since"])
    except psutil.NoSuchProcess:
        return False


def _forget() -> None:
    global _alone  # noqa: PLW0603 - a fork may come while a thread holds it
    _alone = threading.Lock()


os.register_at_fork(after_in_child=_forget)
