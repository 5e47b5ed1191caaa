"""Base of the boot steps that act repeatedly in a worker's event loop."""

from typing import Any

from celery import bootsteps


class TimerStep(bootsteps.StartStopStep):
    """Boot step that calls `tick` at an interval while the consumer is connected."""

    requires = ("celery.worker.consumer:Tasks",)

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        self.timer: Any = None

    def interval_s(self, consumer: Any) -> float:
        """Seconds between two ticks; 0 turns the timer off."""
        raise NotImplementedError

    def tick(self, consumer: Any) -> None:
        """Act; the event loop waits meanwhile."""
        raise NotImplementedError

    def start(self, consumer: Any) -> None:
        interval_s = self.interval_s(consumer)
        if interval_s:
            self.timer = consumer.timer.call_repeatedly(interval_s, self.tick, (consumer,))

    def stop(self, consumer: Any) -> None:
        if self.timer:
            self.timer.cancel()
            self.timer = None
