"""A watchdog that ends the process when a decode hangs; its work goes to other workers."""

import logging
import os
import threading
import time
from typing import Protocol

from tasks.worker import shutdown

log = logging.getLogger(__name__)

_TICK_S = 1.0
_PAUSED_S = 10.0
"""A tick this late means that the process was stopped (SIGSTOP, a suspended machine), not busy."""


class Watched(Protocol):
    """Work that gives signs of life."""

    job: str

    def idle_s(self, now: float) -> float:
        """Seconds without a sign of life; 0 while a model is loaded."""
        ...

    def stood_still(self, seconds: float) -> None:
        """Exclude time in which the process was stopped."""
        ...


class HangWatchdog:
    """Kills the process when its work hangs uninterruptibly.

    One thread per process, started with the first work.

    Args:
        hung_s: seconds without a sign of life after which the process is killed; 0 never kills it.
    """

    def __init__(self, hung_s: float) -> None:
        self.hung_s = hung_s
        self._start_over()
        os.register_at_fork(after_in_child=self._start_over)

    def _start_over(self) -> None:
        """Watch nothing; in a fork the thread is gone and may have held the lock."""
        self.watched: set[Watched] = set()
        self.lock = threading.Lock()
        self.thread: threading.Thread | None = None

    def add(self, work: Watched) -> None:
        with self.lock:
            self.watched.add(work)
            if self.thread is None and self.hung_s:
                self.thread = threading.Thread(target=self._run, name="watch", daemon=True)
                self.thread.start()

    def discard(self, work: Watched) -> None:
        with self.lock:
            self.watched.discard(work)

    def _run(self) -> None:
        last = time.monotonic()
        while True:
            time.sleep(_TICK_S)
            now = time.monotonic()
            late_s, last = now - last - _TICK_S, now
            with self.lock:
                watched = list(self.watched)
            for work in watched:
                if late_s > _PAUSED_S:
                    work.stood_still(late_s)
                elif work.idle_s(now) > self.hung_s:
                    log.critical("a decode hangs; killing this process", extra={"job": work.job})
                    shutdown.kill()
