"""Sends a worker's task events a few times a second, and not one message per event.

Celery sends what it has at every turn of its loop, which was a third of a worker's main process in the
pipeline. The events carry their own times, so nothing is lost but a third of a second of freshness.
"""

from typing import Any

from celery import bootsteps

_GATHER_S = 0.3


class GatherEvents(bootsteps.StartStopStep):
    """Holds task events back for a moment, so that they leave together (24 at once at the most)."""

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
