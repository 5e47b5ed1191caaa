"""Watchdog that kills a worker without progress, so that its supervisor restarts it.

An idle pool should start a prefetched message immediately and report its end. If it does not, the messages
are stuck: the worker is alive, keeps renewing them, and nobody else can take them. Three causes are known:
the pool has no process left, a pool process hangs outside a task, or Celery has stopped reading its result
pipe. The latter occurred in about one of a hundred broker restarts on a busy machine: the event loop drops
the reader of a child's results at any error (celery/concurrency/asynpool.py, on_result_readable), and the
task counts as running for ever. So the worker requeues its messages and exits.
"""

import inspect
import logging
from typing import Any

from tasks.internals import celery_internals, kombu_internals
from tasks.worker import shutdown
from tasks.worker.timer_step import TimerStep

log = logging.getLogger(__name__)

_CHECKS = 4


class EndAtStandstill(TimerStep):
    """Checks for messages that an idle pool does not start, four times per visibility timeout.

    It counts checks, not seconds, so that a stopped and continued process is not taken for a stalled one.
    """

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        self.seen: dict[Any, int] = {}

    def interval_s(self, consumer: Any) -> float:
        return float(consumer.app.settings.visibility_timeout_s / _CHECKS)

    def start(self, consumer: Any) -> None:
        self.seen.clear()
        super().start(consumer)

    def tick(self, consumer: Any) -> None:
        """Count consecutive checks of every message that is not started and every pipe that is not read."""
        signs = _not_begun(consumer) | _not_heard(consumer)
        self.seen = {sign: self.seen.get(sign, 0) + 1 for sign in signs}
        if any(count > _CHECKS for count in self.seen.values()):
            _end(consumer)


def _not_begun(consumer: Any) -> set[Any]:
    """Delivery tags that wait although the pool has a free slot, or has lost all of them."""
    active = celery_internals.active_requests()
    if len(active) >= max(1, celery_internals.slots(consumer)):
        return set()
    known, later = celery_internals.reserved_requests(), celery_internals.scheduled_requests()
    return (_held(consumer) or _tags(known)) - _tags(active | later)


def _not_heard(consumer: Any) -> set[Any]:
    """Result pipes of the pool without a reader, or with a message that was started and never finished."""
    pipes = celery_internals.result_pipes(consumer)
    readers = {fd: kombu_internals.reader_of(consumer.hub, fd) for fd in pipes}
    return {f"pipe {fd}" for fd, reader in readers.items() if reader is None or inspect.isgenerator(reader)}


def _held(consumer: Any) -> set[Any]:
    """Unsettled delivery tags of a Redis channel; empty on RabbitMQ, which tracks them itself."""
    channel = consumer.task_consumer.channel
    return set(kombu_internals.held(channel)) if kombu_internals.is_redis(channel) else set()


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
