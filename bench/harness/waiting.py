"""Polling until a condition holds."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(come: Callable[[], T], timeout_s: float = 30, every_s: float = 0.02) -> T:
    """Wait until a condition holds, and return its value."""
    deadline = time.monotonic() + timeout_s
    while not (found := come()):
        if time.monotonic() > deadline:
            raise TimeoutError("the condition did not hold in time")
        time.sleep(every_s)
    return found
