"""Batching of a worker's task events, sent a few times a second instead of one message per event.

Celery flushes events in every iteration of its loop, which took a third of the main process' time. Events
carry their own times, so batching only delays them by a third of a second.
"""

from typing import Any

from celery import bootsteps

_GATHER_S = 0.3


class GatherEvents(bootsteps.StartStopStep):
    """Delays task events briefly, so that they are sent together, at most 24 at a time."""

    requires = ("celery.worker.consumer.events:Events",)

    def start(self, consumer: Any) -> None:
        hub = consumer.hub
        pending: list[Any] = []

        def flush() -> None:
            pending.clear()
            consumer._flush_events_promise()

        def gather() -> None:
            if not pending:
                pending.append(hub.call_later(_GATHER_S, flush))

        if hub is not None and consumer.event_dispatcher:
            consumer.event_dispatcher.on_send_buffered = gather
