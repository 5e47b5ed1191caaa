"""The heap of glibc: freed pages that it retains, and the heaps that it makes for threads."""

import ctypes
import sys
from collections.abc import Callable

M_ARENA_MAX = -8


def use_one_heap() -> None:
    """Use one heap for all threads started later (glibc only).

    glibc makes a heap per thread otherwise, and each retains what was freed in it.
    """
    mallopt = glibc("mallopt")
    if mallopt is not None:
        mallopt(M_ARENA_MAX, 1)


def trim_heap() -> None:
    """Return free pages to the operating system, wherever they are in the heap."""
    trim = glibc("malloc_trim")
    if trim is not None:
        trim(0)


def glibc(name: str) -> Callable[..., int] | None:
    """Function of glibc, or None elsewhere."""
    if not sys.platform.startswith("linux"):
        return None
    return getattr(ctypes.CDLL(None), name, None)
