"""Keeps what this worker has in flight from being delivered again while it lives.

Redis has no notion of a consumer that died: kombu notes each delivered message with its time and gives back
what is older than the visibility timeout. So the timeout is short, and a living worker renews the time of
what it holds, from its own loop.
"""

import time
from typing import Any

from celery import bootsteps

_RENEWALS_PER_TIMEOUT = 3


class RenewVisibility(bootsteps.StartStopStep):
    """Renews, three times per visibility timeout, the delivery time of every message that is in flight."""

    requires = ("celery.worker.consumer:Tasks",)

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        self.timer: Any = None

    def start(self, consumer: Any) -> None:
        channel = consumer.task_consumer.channel
        if not hasattr(channel, "visibility_timeout"):
            return  # a broker that knows when a consumer is gone, such as RabbitMQ
        interval_s = channel.visibility_timeout / _RENEWALS_PER_TIMEOUT
        self.timer = consumer.timer.call_repeatedly(interval_s, renew, (consumer,))

    def stop(self, consumer: Any) -> None:
        if self.timer:
            self.timer.cancel()
            self.timer = None


def renew(consumer: Any) -> None:
    """Set the delivery time of this worker's unacknowledged messages to now; only of those still noted."""
    channel = consumer.task_consumer.channel
    tags = list(channel.qos._delivered)  # private to kombu, which is pinned; a test holds it
    if tags:
        with channel.conn_or_acquire() as client:
            client.zadd(channel.qos.unacked_index_key, dict.fromkeys(tags, time.time()), xx=True)
