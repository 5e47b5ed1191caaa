"""Ends a worker that is alive and does nothing, so that whoever keeps it up starts it anew.

A pool with room begins at once what its worker has taken, and the worker hears when that is done. Where it
doesn't, the messages stay where they are for ever: the worker lives, renews them, and nobody else may have
them. Two ways are known: a process of the pool hangs outside a task, or Celery no longer listens to it. The
latter was seen in about one of a hundred restarts of a broker on a busy machine: the event loop had dropped
the reader of a child's results (celery/concurrency/asynpool.py, on_result_readable, does so at any error) and
the task counted as running for ever. So what the worker holds is handed back, and the process goes.
"""

import inspect
import logging
import os
import signal
from typing import Any

import psutil
from celery import bootsteps
from celery.worker import state

log = logging.getLogger(__name__)

_LOOKS = 4


class EndAtStandstill(bootsteps.StartStopStep):
    """Looks in the worker's own loop, four times in `limit_s`.

    Looks are counted and not seconds, so that a process that was stopped and continued isn't taken for one
    that stands still.

    Args:
        limit_s: how long a message may wait for a pool that has room, or a result to be heard.
    """

    requires = ("celery.worker.consumer:Tasks",)
    limit_s = 60.0

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        self.timer: Any = None
        self.seen: dict[Any, int] = {}

    def start(self, consumer: Any) -> None:
        self.seen.clear()
        self.timer = consumer.timer.call_repeatedly(self.limit_s / _LOOKS, self.look, (consumer,))

    def stop(self, consumer: Any) -> None:
        if self.timer:
            self.timer.cancel()
            self.timer = None

    def look(self, consumer: Any) -> None:
        """Counts, of every message that isn't begun and every process that isn't heard, the looks so far."""
        signs = _not_begun(consumer) | _not_heard(consumer)
        self.seen = {sign: self.seen.get(sign, 0) + 1 for sign in signs}
        if any(looks > _LOOKS for looks in self.seen.values()):
            _end(consumer)


def _not_begun(consumer: Any) -> set[Any]:
    """Delivery tags that wait although the pool has room."""
    active = set(state.active_requests)
    if len(active) >= consumer.pool.num_processes:
        return set()
    later = set(state.scheduled_requests)  # type: ignore[attr-defined]  # new in 5.7, the stubs are older
    known = set(state.reserved_requests)
    return (_held(consumer) or _tags(known)) - _tags(active | later)


def _not_heard(consumer: Any) -> set[Any]:
    """Pipes of the pool's processes that nobody reads, or of which a message was begun and never ended."""
    pipes = getattr(consumer.pool._pool, "_fileno_to_outq", {})  # private to celery, which is pinned
    readers = {fd: consumer.hub.readers.get(fd, (None,))[0] for fd in pipes}
    return {f"pipe {fd}" for fd, reader in readers.items() if reader is None or inspect.isgenerator(reader)}


def _held(consumer: Any) -> set[Any]:
    """What a channel of Redis has delivered and is not settled; nothing where the broker itself counts."""
    qos: Any = getattr(consumer.task_consumer.channel, "qos", None)
    return set(qos._delivered) - qos._dirty if hasattr(qos, "_dirty") else set()


def _tags(requests: set[Any]) -> set[Any]:
    return {request.message.delivery_tag for request in requests}


def _end(consumer: Any) -> None:
    """Hand back what is held, and go with all children; RabbitMQ takes back by itself what they held."""
    held = _held(consumer)
    log.critical("takes messages and finishes none: hands back %d and ends itself", len(held))
    try:
        for tag in held:
            consumer.task_consumer.channel.basic_reject(tag, requeue=True)
    except consumer.connection_errors as error:
        log.warning("they come back after the visibility timeout: %s", type(error).__name__)
    process = psutil.Process()
    for child in process.children(recursive=True):
        child.kill()
    os.kill(process.pid, signal.SIGKILL)
