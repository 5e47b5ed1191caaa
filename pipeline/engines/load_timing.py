"""How long a piece of work waited for models to be loaded.

    with counted(tell):        # whoever keeps account of the work
        ...
            with loading():    # an engine, around what it loads once
                ...

`tell` is called after every load with the seconds of all so far. An account belongs to the thread that opened
it. While another thread loads one waits from when one came: `Load.since`, `add`.
"""

import contextvars
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

now = time.perf_counter


@dataclass(frozen=True, slots=True)
class Load:
    """When something was loaded, by `now`."""

    began: float
    ended: float

    def since(self, came: float) -> float:
        """Seconds of it for which whoever came then waited."""
        return max(0.0, self.ended - max(self.began, came))


@dataclass(slots=True)
class _Account:
    tell: Callable[[float], None]
    total_s: float = 0.0
    within: bool = False
    """Whether a load is under way: what it loads in turn is part of it."""


_account: contextvars.ContextVar[_Account | None] = contextvars.ContextVar("loads", default=None)


@contextmanager
def counted(tell: Callable[[float], None]) -> Iterator[None]:
    """Account for what is loaded within."""
    token = _account.set(_Account(tell))
    try:
        yield
    finally:
        _account.reset(token)


@contextmanager
def loading() -> Iterator[None]:
    """The body loads a model, or waits for whoever does."""
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
    """For other threads: whether a load is under way in the account of this one."""
    account = _account.get()
    return lambda: account is not None and account.within


def add(seconds: float) -> None:
    """So long was waited for a model; 0 is nothing."""
    account = _account.get()
    if account is not None and not account.within and seconds > 0:
        account.total_s += seconds
        account.tell(account.total_s)
