"""Watchdog that kills a worker without progress, so that its supervisor restarts it.

An idle pool should start a prefetched message immediately and report its end. If it does not, the messages
are stuck: the worker is alive, keeps renewing them, and nobody else can take them. Two causes are known: a
pool process hangs outside a task, or Celery has stopped reading its result pipe. The latter occurred in about
one of a hundred broker restarts on a busy machine: the event loop drops the reader of a child's results at
any error (celery/concurrency/asynpool.py, on_result_readable), and the task counts as running for ever. So
the worker requeues its messages and exits.
"""

import inspect
import logging
from typing import Any

from celery.worker import state

from tasks.worker import shutdown
from tasks.worker.timer_step import TimerStep

log = logging.getLogger(__name__)

_LOOKS = 4


class EndAtStandstill(TimerStep):
    """Checks for messages that an idle pool does not start, four times per visibility timeout.

    It counts checks, not seconds, so that a stopped and continued process is not taken for a stalled one.
    """

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        self.seen: dict[Any, int] = {}

    def interval_s(self, consumer: Any) -> float:
        return float(consumer.app.settings.visibility_timeout_s / _LOOKS)

    def start(self, consumer: Any) -> None:
        self.seen.clear()
        super().start(consumer)

    def tick(self, consumer: Any) -> None:
        """Count consecutive checks of every message that is not started and every pipe that is not read."""
        signs = _not_begun(consumer) | _not_heard(consumer)
        self.seen = {sign: self.seen.get(sign, 0) + 1 for sign in signs}
        if any(looks > _LOOKS for looks in self.seen.values()):
            _end(consumer)


def _not_begun(consumer: Any) -> set[Any]:
    """Delivery tags that wait although the pool has a free slot."""
    active = set(state.active_requests)
    if len(active) >= consumer.pool.num_processes:
        return set()
    later = set(state.scheduled_requests)  # type: ignore[attr-defined]  # new in 5.7, the stubs are older
    known = set(state.reserved_requests)
    return (_held(consumer) or _tags(known)) - _tags(active | later)


def _not_heard(consumer: Any) -> set[Any]:
    """Result pipes of the pool without a reader, or with a message that was started and never finished."""
    pipes = getattr(consumer.pool._pool, "_fileno_to_outq", {})  # private to celery, which is pinned
    readers = {fd: consumer.hub.readers.get(fd, (None,))[0] for fd in pipes}
    return {f"pipe {fd}" for fd, reader in readers.items() if reader is None or inspect.isgenerator(reader)}


def _held(consumer: Any) -> set[Any]:
    """Unsettled delivery tags of a Redis channel; empty on RabbitMQ, which tracks them itself."""
    qos: Any = getattr(consumer.task_consumer.channel, "qos", None)
    return set(qos._delivered) - qos._dirty if hasattr(qos, "_dirty") else set()


def _tags(requests: set[Any]) -> set[Any]:
    return {request.message.delivery_tag for request in requests}


def _end(consumer: Any) -> None:
    """Requeue held messages and kill the process with its children; RabbitMQ requeues by itself."""
    held = _held(consumer)
    log.critical("no progress: requeueing %d messages and killing this worker", len(held))
    try:
        for tag in held:
            consumer.task_consumer.channel.basic_reject(tag, requeue=True)
    except consumer.connection_errors as error:
        log.warning("cannot requeue; redelivery after the visibility timeout: %s", type(error).__name__)
    shutdown.kill()
