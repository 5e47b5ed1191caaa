"""How the world reaches into a running stage: shutdown, cancellation, deadline; and a watch over it."""

import logging
import os
import time
from collections.abc import Callable

from pipeline.engines import load_timing
from pipeline.errors import DeadlineError, HandedBackError, StoreError
from pipeline.jobs.jobs import Jobs
from tasks.app import settings
from tasks.worker.hang_watchdog import HangWatchdog
from tasks.worker.shutdown import stopping

log = logging.getLogger(__name__)

_LOOK_S = 1.0
_LOOK_LATER_S = 15.0
"""After a store that didn't answer: every look then takes as long as the store is given to answer."""


class StageControl:
    """Looked at by the engine every frame or utterance; the store's flag once a second.

    As a context it is watched: a body that doesn't look for too long has its process ended, unless a model is
    loaded, and perhaps fetched, meanwhile.
    """

    def __init__(self, jobs: Jobs, job: str, limit_s: float) -> None:
        self.jobs, self.job, self.limit_s = jobs, job, limit_s
        self.started = self.looked = self.touched = self.alive = time.monotonic()
        self.done = self.shared = 0
        self.first_s: float | None = None
        self.waited_s = 0.0
        self.loading: Callable[[], bool] = lambda: False

    def __enter__(self) -> "StageControl":
        self.alive, self.loading = time.monotonic(), load_timing.watched()
        _watchdog.add(self)
        return self

    def __exit__(self, *_: object) -> None:
        _watchdog.discard(self)

    def check(self) -> None:
        """
        Raises:
            HandedBackError, CancelledError, DeadlineError: see `pipeline.engines.protocol.Control`.
        """
        if stopping():
            raise HandedBackError
        self.alive = now = time.monotonic()
        took_s = now - self.started - self.waited_s
        if took_s > self.limit_s:
            raise DeadlineError(took_s, self.limit_s)
        if now - self.looked >= _LOOK_S:
            self.looked = now
            self._look(now)

    def frames(self, done: int, together: int = 1) -> None:
        if done and self.first_s is None:
            self.first_s = time.monotonic() - self.started
        self.shared += (done - self.done) * together
        self.done = done

    def waited(self, seconds: float) -> None:
        self.waited_s = seconds

    def facts(self) -> dict[str, float | int]:
        """Seconds to the first frame, and how many segments were decoded together on the mean."""
        if not self.done or self.first_s is None:
            return {}
        return {"ttfa_s": self.first_s, "batch_size": round(self.shared / self.done)}

    def _look(self, now: float) -> None:
        try:
            self.jobs.coordination.raise_if_cancelled(self.job)
            if now - self.touched >= settings.stalled_s / 8:
                self.touched = now
                self.jobs.coordination.touch(self.job)
        except StoreError:
            self.looked = time.monotonic() + _LOOK_LATER_S
            log.warning("the store can't be asked during a decode, which goes on", extra={"job": self.job})

    def idle_s(self, now: float) -> float:
        """Seconds without a sign of life; 0 while a model is loaded, and perhaps fetched."""
        if self.loading():
            self.alive = now
        return now - self.alive

    def stood_still(self, seconds: float) -> None:
        """The process was stopped, or others had their turn, for so long: that is not the segment's time."""
        self.started += seconds
        self.alive += seconds


_watchdog = HangWatchdog(settings.hung_s)


def _forget() -> None:
    """In a fork the watchdog's thread is gone, and its lock may be held by it."""
    global _watchdog  # noqa: PLW0603 - one per process
    _watchdog = HangWatchdog(settings.hung_s)


os.register_at_fork(after_in_child=_forget)
