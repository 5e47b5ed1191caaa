"""Time that work spends waiting for models to load.

    with counted(tell):        # in the caller that measures the work
        ...
            with loading():    # in the engine, around a load
                ...

`tell` is called after every load with the total seconds so far. Timers are per thread. If another thread is
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

    def since(self, came: float) -> float:
        """Seconds that a thread waited for this load from a time on."""
        return max(0.0, self.ended - max(self.began, came))


@dataclass(slots=True)
class _Account:
    tell: Callable[[float], None]
    total_s: float = 0.0
    within: bool = False
    """True while a load is running; nested loads are part of it."""


_account: contextvars.ContextVar[_Account | None] = contextvars.ContextVar("loads", default=None)


@contextmanager
def counted(tell: Callable[[float], None]) -> Iterator[None]:
    """Count loads within the context."""
    token = _account.set(_Account(tell))
    try:
        yield
    finally:
        _account.reset(token)


@contextmanager
def loading() -> Iterator[None]:
    """Mark the body as loading a model, or waiting for one that loads."""
    account = _account.get()
    if account is None or account.within:
        yield
        return
    account.within, came = True, now()
    try:
        yield
    finally:
        account.within = False
        add(now() - came)


def watched() -> Callable[[], bool]:
    """Function for other threads that tells if a load is running in this thread's timer."""
    account = _account.get()
    return lambda: account is not None and account.within


def add(seconds: float) -> None:
    """Add seconds of waiting for a model."""
    account = _account.get()
    if account is not None and not account.within and seconds > 0:
        account.total_s += seconds
        account.tell(account.total_s)
