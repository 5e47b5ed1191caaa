"""Pausing while the store is full or unreachable: no segment fails and no attempt is used up.

The worker holds its message and retries until the store answers; it takes no other message, since all work
needs the store. Clients see the job's state PAUSED with the reason. After a while the message is requeued, so
that another worker may try.
"""

import logging
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

from celery import current_task, states
from celery.exceptions import Reject

from pipeline.errors import HandedBackError, StoreError
from pipeline.store.artifacts import Store
from tasks.orchestration.error_policy import Requeue, classify
from tasks.orchestration.resources import VoxchordApp
from tasks.worker.shutdown import stopping

log = logging.getLogger(__name__)

PAUSED = "PAUSED"
"""State of a root whose job waits for the store; its result is `{"reason": …}`."""
_CHECK_S = 2.0
_HOLD_S = 30.0


@contextmanager
def requeue_while_unavailable(app: VoxchordApp, job: str | None = None) -> Iterator[None]:
    """Run work that needs the store; if the store fails, wait until it answers and requeue the work.

    Work that was interrupted by the worker's shutdown is requeued at once.

    Raises:
        celery.exceptions.Reject: the work is to be done again.
    """
    try:
        yield
    except (StoreError, HandedBackError, OSError) as error:
        verdict = classify(error)
        if not isinstance(verdict, Requeue):
            raise
        if isinstance(verdict.error, StoreError):
            _pause(app, job, verdict.error)
        raise Reject(verdict.error, requeue=True) from error


def _pause(app: VoxchordApp, job: str | None, error: StoreError) -> None:
    """Wait until the store answers, the worker shuts down, or another worker should try."""
    log.warning("paused: %s", error, extra={"job": job})
    _show(app, job, PAUSED, {"reason": str(error)})
    wait_until_writable(app.resources.jobs.store)
    _show(app, job, states.STARTED, None)


def reason(app: VoxchordApp, job: str) -> str | None:
    """Reason why a job is paused; None if it is not."""
    for root in app.resources.roots.waiting(job):
        found = app.backend.get_task_meta(root)
        if found["status"] == PAUSED:
            return str(found["result"]["reason"])
    return None


def wait_until_writable(store: Store, *, check_s: float = _CHECK_S, hold_s: float = _HOLD_S) -> None:
    """Check every `check_s` until the store accepts writes, the worker shuts down or `hold_s` have passed."""
    deadline = time.monotonic() + hold_s
    while time.monotonic() < deadline and not stopping():
        time.sleep(check_s * random.uniform(0.5, 1.5))
        if writable(store):
            log.warning("the store answers; work resumes")
            return


def writable(store: Store) -> bool:
    """True if the store accepts a megabyte; a full disk may still accept a byte."""
    name = f"probe/{uuid4().hex}"
    try:
        store.put(name, bytes(1 << 20))
        store.objects.delete(name)
    except StoreError:
        return False
    return True


def _show(app: VoxchordApp, job: str | None, state: str, about: dict[str, str] | None) -> None:
    """Set the state of all waiting roots that have not ended."""
    for root in _roots(app, job):
        if app.backend.get_state(root) not in states.READY_STATES:
            app.backend.store_result(root, about, state)


def _roots(app: VoxchordApp, job: str | None) -> list[str]:
    """Roots that wait for a job, from the store; if it does not answer, the root of this message."""
    request = current_task.request
    if job is None:  # nothing is planned yet: this task is the root
        return [str(request.id)]
    try:
        return list(app.resources.roots.waiting(job))
    except StoreError:
        root = str(request.root_id)
        # within another app's chain this is the ID of that app's root, which has ended or has no state
        return [root] if app.backend.get_state(root) in (states.STARTED, PAUSED) else []
