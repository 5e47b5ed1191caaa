"""Requests of this process to one server: segments at once, and a rate, for all its models together."""

import contextlib
import functools
import threading
import time
from collections.abc import Iterator

from pipeline.engines.protocol import Control

_CHECK_S = 0.5


class Waits:
    """Time that a segment waited for its turn, which does not count against its deadline."""

    def __init__(self, control: Control) -> None:
        self.control, self.total_s = control, 0.0

    def add(self, seconds: float) -> None:
        self.total_s += seconds
        self.control.waited(self.total_s)


class Traffic:
    """Slots and rate of one server.

    Args:
        slots: segments at once.
        requests_per_minute: 0 for any number.
    """

    def __init__(self, slots: int, requests_per_minute: int) -> None:
        self._slots = threading.BoundedSemaphore(slots)
        self._apart_s = 60 / requests_per_minute if requests_per_minute else 0.0
        self._next_s = 0.0
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def slot(self, waits: Waits) -> Iterator[None]:
        """Occupy a slot for the body; waits until one is free."""
        while True:
            asked = time.monotonic()
            if self._slots.acquire(timeout=_CHECK_S):
                break
            waits.add(time.monotonic() - asked)
            waits.control.check()
        try:
            yield
        finally:
            self._slots.release()

    def turn_s(self) -> float:
        """Reserve the next request; returns the wait until it may start."""
        with self._lock:
            now = time.monotonic()
            start = max(now, self._next_s)
            self._next_s = start + self._apart_s
            return start - now

    def pause(self, seconds: float) -> None:
        """Let no further request start for a time, as the server asked."""
        with self._lock:
            self._next_s = max(self._next_s, time.monotonic() + seconds)


@functools.cache
def traffic(base: str, slots: int, requests_per_minute: int) -> Traffic:
    """Traffic with a server, one object per process."""
    return Traffic(slots, requests_per_minute)
