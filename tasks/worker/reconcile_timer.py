"""Timer in every intake worker that sends the reconcile task."""

import logging
from typing import Any

from kombu.exceptions import OperationalError

from tasks.broker.queues import INTAKE
from tasks.worker.timer_step import TimerStep

log = logging.getLogger(__name__)


class SendReconcile(TimerStep):
    """Sends the reconcile task at the start and at every interval; messages expire after one interval."""

    def interval_s(self, consumer: Any) -> float:
        takes_jobs_in = INTAKE[0] in consumer.app.amqp.queues.consume_from
        return float(consumer.app.settings.reconcile_s) if takes_jobs_in else 0

    def start(self, consumer: Any) -> None:
        super().start(consumer)
        if self.timer:
            self.tick(consumer)

    def tick(self, consumer: Any) -> None:
        """Send without retry, since the event loop must not wait; the next timer event tries again."""
        try:
            expires_s = consumer.app.settings.reconcile_s
            consumer.app.send_task(
                "voxchord.reconcile", queue=INTAKE[0], expires=expires_s, priority=0, retry=False
            )
        except (OperationalError, *consumer.connection.connection_errors) as error:
            log.info("cannot send the reconcile task: %s", type(error).__name__)
