"""Memory in use according to glibc's allocator."""

import ctypes


class _Heap(ctypes.Structure):
    """glibc's `struct mallinfo2`."""

    _fields_ = tuple((name, ctypes.c_size_t) for name in (*"abcd", "mapped", *"fg", "used", "free", "top"))


def used() -> int:
    """Return the bytes in use, in heaps and in separately mapped blocks."""
    libc = ctypes.CDLL(None)
    libc.mallinfo2.restype = _Heap
    now = libc.mallinfo2()
    return int(now.used + now.mapped)
