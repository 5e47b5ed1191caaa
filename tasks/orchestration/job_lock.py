"""Lock of a job, under which requests join it and its runs are closed.

Both decide by what is stored of a job and change it: a request that joins restarts a job that is closed, and
a client that withdraws closes a job that nobody else waits for. Without the lock a request that has checked
the job, and is not yet among its waiters, would be answered with the cancellation of another client.

The lock is in the results' Redis, which all processes share. It expires, so that a process that dies holds
it for a moment only. Nothing else depends on it: if the server does not answer, the work goes on without.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from celery import Celery
from redis.exceptions import LockError, RedisError

from tasks.broker.result_backend import redis_client

log = logging.getLogger(__name__)

_KEY = "voxchord.job_lock."
_EXPIRES_S = 15.0
"""Far more than what is done under the lock takes, on any store."""
_POLL_S = 0.01


@contextmanager
def job_locked(app: Celery, job: str) -> Iterator[None]:
    """Hold the lock of a job while the body runs; waits for another holder."""
    client = redis_client(app)
    if client is None:  # results in memory, as in a test: no other process has this job
        yield
        return
    lock = client.lock(f"{_KEY}{job}", timeout=_EXPIRES_S, sleep=_POLL_S)
    try:
        lock.acquire()
    except (RedisError, OSError) as error:
        log.warning("a job is not locked: %s", type(error).__name__, extra={"job": job})
        yield
        return
    try:
        yield
    finally:
        with suppress(LockError, RedisError, OSError):  # it has expired, or will
            lock.release()
