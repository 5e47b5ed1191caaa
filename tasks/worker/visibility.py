"""Renewal of the visibility timeout of a live worker's messages.

Redis does not detect dead consumers: kombu records the delivery time of each message and redelivers those
older than the visibility timeout. So the timeout is short, and a live worker renews the delivery times of its
messages from its event loop.
"""

from typing import Any

from pipeline import clock
from tasks.internals import kombu_internals
from tasks.worker.timer_step import TimerStep

_RENEWALS_PER_TIMEOUT = 3


class RenewVisibility(TimerStep):
    """Renews the delivery time of all unacknowledged messages three times per visibility timeout."""

    def interval_s(self, consumer: Any) -> float:
        channel = consumer.task_consumer.channel
        if not kombu_internals.is_redis(channel):
            return 0  # RabbitMQ detects dead consumers itself
        return kombu_internals.visibility_timeout_s(channel) / _RENEWALS_PER_TIMEOUT

    def tick(self, consumer: Any) -> None:
        kombu_internals.renew(consumer.task_consumer.channel, clock.now())
