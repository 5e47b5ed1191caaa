"""What glibc's allocator has given out."""

import ctypes


class _Heap(ctypes.Structure):
    """Its `mallinfo2`."""

    _fields_ = tuple((name, ctypes.c_size_t) for name in (*"abcd", "mapped", *"fg", "used", "free", "top"))


def used() -> int:
    """Bytes in use, in heaps and in blocks that were mapped by themselves."""
    libc = ctypes.CDLL(None)
    libc.mallinfo2.restype = _Heap
    now = libc.mallinfo2()
    return int(now.used + now.mapped)
