"""Tuning of the CPU allocator: freed blocks are reused by the next step.

By default glibc unmaps large blocks, or trims its heap, as soon as they are freed. Faulting the pages in
again costs more than the computation (a norm over 25,600 x 32 elements: 3.2 ms instead of 0.4 ms). The
primitive caches of oneDNN are capped.
"""

import ctypes
import os

import psutil

from pipeline.engines.heap import glibc, use_one_heap

MADV_PAGEOUT = 21
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
BLOCK_BYTES = 32 << 20
"""Blocks below this size come from the heap. The largest of a step has 26 MB, with 8 slots."""
RETAINED_BYTES = 256 << 20
CACHE_CAPACITIES = {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "128", "LRU_CACHE_CAPACITY": "64"}
"""Entries in the primitive caches of oneDNN and of torch's bridge to it, by environment variable.

Both default to 1024, one per shape. A step of any batch size needs 61, and a new one takes 50 ms to build. On
a tiny model an unbounded cache grew to 180 MB.
"""


def retain_freed_blocks() -> None:
    """Keep freed blocks in the process, and use one heap for all threads started later (glibc only).

    The per-thread heaps that glibc makes otherwise are unmapped whenever they are empty.
    """
    mallopt = glibc("mallopt")
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, BLOCK_BYTES)
        mallopt(M_TRIM_THRESHOLD, RETAINED_BYTES)
    use_one_heap()


def cap_primitive_caches() -> None:
    """Cap the primitive caches, unless the environment sets them; no effect after the first computation."""
    for name, count in CACHE_CAPACITIES.items():
        os.environ.setdefault(name, count)


def page_out(library: str) -> None:
    """Evict the file-backed pages of a library that is no longer needed; they can be read again."""
    advise = glibc("madvise")
    if advise is None:
        return
    advise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]  # type: ignore[attr-defined]
    for mapping in psutil.Process().memory_maps(grouped=False):
        if library in mapping.path:
            start, end = (int(address, 16) for address in mapping.addr.split("-"))
            advise(start, end - start, MADV_PAGEOUT)  # may be refused: it only saves memory
