"""What glibc's allocator has given out."""

import ctypes


class _Heap(ctypes.Structure):
    """Its `mallinfo2`."""

    _fields_ = tuple((name, ctypes.c_size_t) for name in (*"abcdefg", "used", "free", "top"))


def used() -> int:
    """Bytes in use, of all but what was mapped by itself."""
    libc = ctypes.CDLL(None)
    libc.mallinfo2.restype = _Heap
    return int(libc.mallinfo2().used)
