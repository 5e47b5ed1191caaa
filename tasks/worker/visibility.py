"""Renewal of the visibility timeout of a live worker's messages.

Redis does not detect dead consumers: kombu records the delivery time of each message and redelivers those
older than the visibility timeout. So the timeout is short, and a live worker renews the delivery times of its
messages from its event loop.
"""

import time
from typing import Any

from tasks.worker.timer_step import TimerStep

_RENEWALS_PER_TIMEOUT = 3


class RenewVisibility(TimerStep):
    """Renews the delivery time of all unacknowledged messages three times per visibility timeout."""

    def interval_s(self, consumer: Any) -> float:
        channel = consumer.task_consumer.channel
        if not hasattr(channel, "visibility_timeout"):
            return 0  # RabbitMQ detects dead consumers itself
        return float(channel.visibility_timeout / _RENEWALS_PER_TIMEOUT)

    def tick(self, consumer: Any) -> None:
        renew(consumer)


def renew(consumer: Any) -> None:
    """Set the delivery time of this worker's unacknowledged messages to now, if they are still recorded."""
    channel = consumer.task_consumer.channel
    tags = list(channel.qos._delivered)  # private to kombu, which is pinned; tested
    if tags:
        with channel.conn_or_acquire() as client:
            client.zadd(channel.qos.unacked_index_key, dict.fromkeys(tags, time.time()), xx=True)
