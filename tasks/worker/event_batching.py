"""Batching of a worker's task events, sent a few times a second instead of one message per event.

Celery flushes events in every iteration of its loop, which took a third of the main process' time. Events
carry their own times, so batching only delays them by a third of a second.
"""

from collections.abc import Callable
from typing import Any

from celery import bootsteps

from tasks.internals import celery_internals

_GATHER_S = 0.3


class GatherEvents(bootsteps.StartStopStep):
    """Delays task events briefly, so that they are sent together, at most 24 at a time."""

    requires = ("celery.worker.consumer.events:Events",)

    def start(self, consumer: Any) -> None:
        pending: list[Any] = []

        def gather(flush: Callable[[], None]) -> None:
            def send() -> None:
                pending.clear()
                flush()

            if not pending:
                pending.append(consumer.hub.call_later(_GATHER_S, send))

        celery_internals.batch_events(consumer, gather)
