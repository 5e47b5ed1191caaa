"""A store that is full or away pauses the work; it fails no segment and burns no attempt.

The worker keeps what it has and asks again until the store answers: nothing else is taken from the queues,
since everything needs the store. Whoever waits for the job sees the state PAUSED and why. After a while the
message goes back to its queue, so that another worker may try.
"""

import errno
import logging
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

from celery import current_task, states
from celery.exceptions import Reject

from pipeline.errors import HandedBackError, StoreError
from tasks.app import app
from tasks.orchestration.resources import jobs, roots
from tasks.worker.shutdown import stopping

log = logging.getLogger(__name__)

PAUSED = "PAUSED"
"""State of a root whose job waits for the store; its result is `{"reason": …}`."""
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)
_LOOK_S = 2.0
_HOLD_S = 30.0


@contextmanager
def until_stored(job: str | None = None) -> Iterator[None]:
    """Around work that needs the store: where that refuses, wait until it answers, then hand the work back.

    Raises:
        Reject: to be done again.
        HandedBackError: the worker stops meanwhile.
    """
    try:
        yield
    except StoreError as error:
        log.warning("work pauses: %s", error, extra={"job": job})
        _show(job, PAUSED, {"reason": str(error)})
        _wait()
        _show(job, states.STARTED, None)
        raise Reject(error, requeue=True) from error


def as_stores(error: Exception) -> StoreError | None:
    """The error as the store's, where the operating system says that a disk is full or failing."""
    if isinstance(error, OSError) and error.errno in _FULL:
        return StoreError(f"can't write: {error.strerror}")
    return None


def reason(job: str) -> str | None:
    """Why a job pauses; None while it doesn't. For those who show how a job stands."""
    for root in roots().waiting(job):
        found = app.backend.get_task_meta(root)
        if found["status"] == PAUSED:
            return str(found["result"]["reason"])
    return None


def _wait() -> None:
    deadline = time.monotonic() + _HOLD_S
    while time.monotonic() < deadline:
        time.sleep(_LOOK_S * random.uniform(0.5, 1.5))
        if stopping():
            raise HandedBackError
        if writable():
            log.warning("the store answers; work goes on")
            return


def writable() -> bool:
    """Whether the store takes a megabyte just now; a full disk may still take a byte."""
    name = f"probe/{uuid4().hex}"
    try:
        jobs().store.put(name, bytes(1 << 20))
        jobs().store.objects.delete(name)
    except StoreError:
        return False
    return True


def _show(job: str | None, state: str, about: dict[str, str] | None) -> None:
    """To whoever waits: a state of Celery's own until the job goes on or ends."""
    for root in _roots(job):
        if app.backend.get_state(root) not in states.READY_STATES:
            app.backend.store_result(root, about, state)


def _roots(job: str | None) -> list[str]:
    """Who waits, as the store has it; where it says nothing, the root of this very message."""
    request = current_task.request
    if job is None:  # nothing is planned yet: this is the root
        return [str(request.id)]
    try:
        return list(roots().waiting(job))
    except StoreError:
        root = str(request.root_id)
        # a root within somebody else's chain has another's id here, and that one has ended or says nothing
        return [root] if app.backend.get_state(root) in (states.STARTED, PAUSED) else []
