"""Loading on first use and unloading when idle."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from pipeline.engines import load_timing

T = TypeVar("T")


class LazyResource(Generic[T]):
    """Resource that is loaded on first use and dropped when idle. One thread uses it at a time."""

    def __init__(self, make: Callable[[], T], idle_s: float) -> None:
        """
        Args:
            make: loads the resource.
            idle_s: seconds without use after which it is dropped.
        """
        self.make, self.idle_s = make, idle_s
        self.value: T | None = None
        self.loaded: load_timing.Load | None = None
        """Time of the last load."""
        self.lock = threading.Lock()
        self.timer: threading.Timer | None = None

    @contextmanager
    def use(self) -> Iterator[T]:
        """Lend the resource to the body, loading it first if needed; others wait meanwhile."""
        came = load_timing.now()
        with self.lock:
            if self.timer is not None:
                self.timer.cancel()
            if self.value is None:
                began = load_timing.now()
                self.value = self.make()
                self.loaded = load_timing.Load(began, load_timing.now())
            if self.loaded is not None:
                load_timing.add(self.loaded.since(came))
            try:
                yield self.value
            finally:
                self.timer = threading.Timer(self.idle_s, self.drop)
                self.timer.daemon = True
                self.timer.start()

    def drop(self) -> None:
        """Drop the resource, unless it is in use."""
        if self.lock.acquire(blocking=False):
            self.value = None
            self.lock.release()
