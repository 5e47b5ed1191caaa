"""Time that work spends waiting for models to load.

    with measured(report):     # in the caller that measures the work
        ...
            with loading():    # in the engine, around a load
                ...

`report` is called after every load with the total seconds so far. Timers are per thread. If another thread is
already loading the model, the wait counts from when this thread asked for it: `Load.since`, `add`.
"""

import contextvars
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

now = time.perf_counter


@dataclass(frozen=True, slots=True)
class Load:
    """Start and end of a load, by `now`."""

    began: float
    ended: float

    def since(self, asked: float) -> float:
        """Seconds that a thread waited for this load from a time on."""
        return max(0.0, self.ended - max(self.began, asked))


@dataclass(slots=True)
class _Timer:
    report: Callable[[float], None]
    total_s: float = 0.0
    within: bool = False
    """True while a load is running; nested loads are part of it."""


_timer: contextvars.ContextVar[_Timer | None] = contextvars.ContextVar("loads", default=None)


@contextmanager
def measured(report: Callable[[float], None]) -> Iterator[None]:
    """Measure the loads within the body.

    Args:
        report: called with the total seconds so far.
    """
    token = _timer.set(_Timer(report))
    try:
        yield
    finally:
        _timer.reset(token)


@contextmanager
def loading() -> Iterator[None]:
    """Mark the body as loading a model, or waiting for one that loads."""
    timer = _timer.get()
    if timer is None or timer.within:
        yield
        return
    timer.within, asked = True, now()
    try:
        yield
    finally:
        timer.within = False
        add(now() - asked)


def watched() -> Callable[[], bool]:
    """Return a function that other threads can call to learn if a load is running in this thread's timer."""
    timer = _timer.get()
    return lambda: timer is not None and timer.within


def add(seconds: float) -> None:
    """Add seconds of waiting for a model."""
    timer = _timer.get()
    if timer is not None and not timer.within and seconds > 0:
        timer.total_s += seconds
        timer.report(timer.total_s)
