"""Length and age of the broker's queues, for Prometheus."""

import json
from collections.abc import Callable, Iterable
from typing import Any

from celery import Celery
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from tasks.broker import counters, dead_letters
from tasks.broker.transport import counts
from tasks.internals import kombu_internals
from tasks.message_headers import PUBLISHED


class Queues(Collector):
    """Length of each queue and, on Redis, the age of its oldest message.

    Messages of our workers carry their send time; messages of other apps do not and have no age.
    """

    def __init__(self, app: Celery, now: Callable[[], float]) -> None:
        self._app, self._now = app, now

    def collect(self) -> Iterable[Metric]:
        yield from self._events()
        yield from self._queues()

    def _events(self) -> Iterable[Metric]:
        """Counters of all workers; at most one intake worker of a service is to be added up."""
        found = counters.read(self._app)
        dead = CounterMetricFamily(
            "tts_dead_letters",
            "Messages that could not be understood, by part.",
            labels=["part"],
        )
        for part in ("envelope", "properties", "headers", "body"):
            dead.add_metric([part], found.get(counters.DEAD_LETTERS + part, 0))
        yield dead
        held = dead_letters.count(self._app)
        yield GaugeMetricFamily("tts_dead_letters_held", "Entries in the list of dead letters.", held)
        yield CounterMetricFamily(
            "tts_jobs_not_resumed",
            "Failed attempts at resuming a job.",
            found.get(counters.NOT_RESUMED, 0),
        )

    def _queues(self) -> Iterable[Metric]:
        length = GaugeMetricFamily("tts_queue_messages", "Waiting messages.", labels=["queue"])
        age = GaugeMetricFamily("tts_queue_oldest_seconds", "Age of the oldest message.", labels=["queue"])
        with self._app.connection_for_read() as connection:
            channel: Any = connection.default_channel
            if not kombu_internals.is_redis(channel):
                for name, waiting in counts(connection, sorted(self._app.amqp.queues)).items():
                    length.add_metric([name], waiting)
                yield length
                return
            with channel.conn_or_acquire() as client:
                for name in sorted(self._app.amqp.queues):
                    keys = kombu_internals.lists_of(channel, name)
                    length.add_metric([name], sum(client.llen(key) for key in keys))
                    sent = [_sent(client.lindex(key, -1)) for key in keys]
                    oldest = min((moment for moment in sent if moment is not None), default=None)
                    if oldest is not None:
                        age.add_metric([name], max(0.0, self._now() - oldest))
        yield length
        yield age


def _sent(message: bytes | None) -> float | None:
    """Send time of a message, in seconds since the epoch.

    >>> _sent(b'{"headers": {"id": "1", "voxchord_published": 5.0}}'), _sent(b'{"headers": {}}'), _sent(None)
    (5.0, None, None)
    """
    try:
        moment = json.loads(message)["headers"].get(PUBLISHED) if message else None
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return None  # no task's message; the worker that receives it makes it a dead letter
    return float(moment) if isinstance(moment, int | float) else None
