"""Torch beside the decoding thread, without slowing it down for good.

libgomp gives every thread that computes in parallel a team of its own, which lives as long as the thread.
With more members of teams than processors none waits spinning for its next piece of work any more: all sleep
and have to be woken. A step has thousands of pieces: with one idle team beside it, it takes 13 % longer (two
cores, eight rows of the 1.5B in float32).
"""

import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def apart(work: Callable[[], T]) -> T:
    """Do it in a thread, with the caller's context, whose team ends with it.

    Raises:
        Exception: what the work raises.
    """
    with ThreadPoolExecutor(1, "apart") as thread:
        return thread.submit(contextvars.copy_context().run, work).result()
