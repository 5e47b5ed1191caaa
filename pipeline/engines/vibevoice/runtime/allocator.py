"""The memory of a step's results is kept for the next step, and given back to the system now and then.

By default glibc unmaps large blocks, or trims its heap, as they are freed; touching the pages anew costs more
than the computation (a norm over 25,600 x 32 numbers: 3.2 ms against 0.4 ms). Of kernels few are kept.
"""

import ctypes
import os
import sys
from collections.abc import Callable

import psutil

MADV_PAGEOUT = 21
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
BLOCK_BYTES = 32 << 20
"""Blocks below this come from the heap: the largest of a step is 26 MB, with 8 slots."""
KEPT_BYTES = 256 << 20
KERNELS = {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "128", "LRU_CACHE_CAPACITY": "64"}
"""What oneDNN and torch's bridge to it keep for shapes that they met, 1024 each by default. A step of any
number of rows needs 61, and new ones take 50 ms; on a tiny model all that were ever needed took 180 MB.
"""


def keep_blocks() -> None:
    """For this process, where its allocator is glibc's. Threads that start later share the one heap.

    The heaps that other threads get otherwise are unmapped whenever they are empty.
    """
    mallopt = _glibc("mallopt")
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, BLOCK_BYTES)
        mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
        mallopt(M_ARENA_MAX, 1)


def keep_few_kernels() -> None:
    """For this process, unless its environment says otherwise, and if it computed nothing yet."""
    for name, count in KERNELS.items():
        os.environ.setdefault(name, count)


def give_back() -> None:
    """What is free, wherever it lies. Segments of many lengths leave holes, and a heap with holes only grows:
    by a third in two hours.
    """
    trim = _glibc("malloc_trim")
    if trim is not None:
        trim(0)


def page_out(library: str) -> None:
    """Of a library that has done its work, what can be read from its file again."""
    advise = _glibc("madvise")
    if advise is None:
        return
    advise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]  # type: ignore[attr-defined]
    for mapping in psutil.Process().memory_maps(grouped=False):
        if library in mapping.path:
            start, end = (int(address, 16) for address in mapping.addr.split("-"))
            advise(start, end - start, MADV_PAGEOUT)  # which may be refused: it only saves memory


def _glibc(name: str) -> Callable[..., int] | None:
    if not sys.platform.startswith("linux"):
        return None
    return getattr(ctypes.CDLL(None), name, None)
