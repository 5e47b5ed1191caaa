"""Detection of poison messages: work that repeatedly kills its worker is quarantined.

Celery counts deaths of a pool's child in the message, but not those of a whole worker. So attempts are
recorded in the store before they start. A record that remains when the work is redelivered, and whose process
is gone, is a death. Records survive a restart of the broker.
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
from tasks.orchestration.resources import Resources
from tasks.orchestration.stage_control import StageControl

_alone = threading.Lock()
"""Held by suspect work, so that it runs alone in a pool of threads and its neighbours are not blamed."""
_WAIT_S = 0.5


@contextmanager
def attempt_recorded(
    resources: Resources, job: str, work: str, control: StageControl | None = None
) -> Iterator[None]:
    """Record an attempt at work of a job (`<segment>.<stage>` or `stitch`) while the body runs.

    Raises:
        PoisonError: the work has killed its process too often.
    """
    coordination = resources.jobs.coordination
    deaths = sum(not _lives(where) for where in coordination.open_attempts(job, work))
    if deaths >= resources.settings.attempts_max:
        raise PoisonError(deaths)
    with _quarantine(control) if deaths else nullcontext():
        attempt = uuid.uuid4().hex
        coordination.begin(job, work, attempt, _here(os.getpid()))
        try:
            yield
        finally:
            with suppress(StoreError):
                coordination.end(job, work, attempt)


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
    """True if the process is alive. One of another machine is not, since redelivery follows a death."""
    if where["host"] != socket.gethostname():
        return False
    try:
        return bool(psutil.Process(where["pid"]).create_time() == where["since"])
    except psutil.NoSuchProcess:
        return False


def _forget() -> None:
    global _alone  # noqa: PLW0603 - a thread may hold it during a fork
    _alone = threading.Lock()


os.register_at_fork(after_in_child=_forget)
