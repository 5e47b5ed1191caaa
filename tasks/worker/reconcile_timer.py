"""Timer in every intake worker that sends the reconcile task."""

import logging
from typing import Any

from celery import bootsteps
from kombu.exceptions import OperationalError

from tasks.broker.queues import DOOR

log = logging.getLogger(__name__)


class SendReconcile(bootsteps.StartStopStep):
    """Timer in the worker's event loop; messages expire after one interval.

    Args:
        interval_s: 0 turns it off.
    """

    requires = ("celery.worker.consumer:Tasks",)
    interval_s = 0

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        self.timer: Any = None

    def start(self, consumer: Any) -> None:
        if self.interval_s and DOOR[0] in consumer.app.amqp.queues.consume_from:
            self.timer = consumer.timer.call_repeatedly(self.interval_s, self.send, (consumer,))
            self.send(consumer)

    def stop(self, consumer: Any) -> None:
        if self.timer:
            self.timer.cancel()
            self.timer = None

    def send(self, consumer: Any) -> None:
        """Send without retry, since the event loop must not wait; the next timer event tries again."""
        try:
            consumer.app.send_task(
                "voxchord.reconcile", queue=DOOR[0], expires=self.interval_s, priority=0, retry=False
            )
        except (OperationalError, *consumer.connection.connection_errors) as error:
            log.info("cannot send the reconcile task: %s", type(error).__name__)
