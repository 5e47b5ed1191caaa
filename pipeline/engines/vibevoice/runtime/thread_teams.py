"""OpenMP thread teams: torch work beside the decoding thread runs in transient threads.

libgomp keeps one thread team per calling thread, for as long as that thread lives. Once teams outnumber
cores, threads sleep between parallel regions instead of spinning and have to be woken. A step has thousands
of regions: one idle team makes it 13 % slower (two cores, 1.5B in float32, eight rows).
"""

import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def run_in_transient_thread(work: Callable[[], T]) -> T:
    """Run the work in a new thread with the caller's context, and end the thread with its OpenMP team.

    Raises:
        Exception: whatever the work raises.
    """
    with ThreadPoolExecutor(1, "transient") as thread:
        return thread.submit(contextvars.copy_context().run, work).result()
