"""Timer in every intake worker that sends the reconcile task.

The message names the task IDs that were revoked lately. Only a worker's main process knows them, and it
drops a revoked task when its message arrives. A root has no message until its job ends: without this its
caller would wait until then, and the job would go on for nobody.
"""

import logging
import time
from collections import OrderedDict
from typing import Any

from kombu.exceptions import OperationalError

from tasks.broker.queues import INTAKE
from tasks.internals import celery_internals
from tasks.worker.timer_step import TimerStep

log = logging.getLogger(__name__)

_REPEATED_S = 60.0
"""Time for which a revoked ID is reported: a root may join its job after it was revoked."""
_REPORTED_MAX = 1000


class RevokedIds:
    """IDs that were revoked lately, with the time at which each was first seen (monotonic)."""

    def __init__(self) -> None:
        self.seen: OrderedDict[str, float] = OrderedDict()

    def recent(self, revoked: set[str], now: float) -> list[str]:
        """IDs that were first seen within a minute, at most a thousand, the latest ones.

        >>> ids = RevokedIds()
        >>> ids.recent({"a"}, 0.0), ids.recent({"a", "b"}, 59.0), ids.recent({"a", "b"}, 61.0)
        (['a'], ['a', 'b'], ['b'])
        """
        for task_id in sorted(revoked - self.seen.keys()):
            self.seen[task_id] = now
        for task_id in self.seen.keys() - revoked:
            del self.seen[task_id]
        found = [task_id for task_id, since in self.seen.items() if now - since <= _REPEATED_S]
        return found[-_REPORTED_MAX:]


class SendReconcile(TimerStep):
    """Sends the reconcile task at the start and at every interval; messages expire after one interval."""

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        self.revoked = RevokedIds()

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
            revoked = self.revoked.recent(celery_internals.revoked_ids(), time.monotonic())
            consumer.app.send_task(
                "voxchord.reconcile",
                kwargs={"revoked": revoked} if revoked else {},
                queue=INTAKE[0],
                expires=expires_s,
                priority=0,
                retry=False,
            )
        except (OperationalError, *consumer.connection.connection_errors) as error:
            log.info("cannot send the reconcile task: %s", type(error).__name__)
