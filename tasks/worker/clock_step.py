"""Boot step that keeps a worker's clock in step with the server's.

Redelivery depends on it: a message counts as lost once its last renewal is older than the visibility timeout,
and renewals and their age are judged by different machines. So do the waits and times of the history.
"""

import threading
from typing import Any

from pipeline import clock
from tasks.broker import server_clock
from tasks.internals import kombu_internals
from tasks.worker.timer_step import TimerStep

_INTERVAL_S = 30.0
_FIRST_S = 3.0
"""Longest wait for the first answer; later ones are not waited for."""


class SynchroniseClock(TimerStep):
    """Asks for the time before the first message is received, and twice a minute."""

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        self.asking: threading.Thread | None = None

    def interval_s(self, consumer: Any) -> float:
        return _INTERVAL_S

    def start(self, consumer: Any) -> None:
        kombu_internals.use_clock(clock.now)
        self.tick(consumer)
        if self.asking:
            self.asking.join(_FIRST_S)
        super().start(consumer)

    def tick(self, consumer: Any) -> None:
        """Ask in a thread, since a server that does not answer must not hold up the event loop."""
        if self.asking is None or not self.asking.is_alive():
            arguments = (consumer.app,)
            self.asking = threading.Thread(target=server_clock.synchronise, args=arguments, daemon=True)
            self.asking.start()
