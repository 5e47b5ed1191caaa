"""The compiled kernels of this process, and how their threads are started."""

import ctypes
import functools
import struct
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

_off = threading.Event()


class Library:
    """Kernels by name. Their threads are torch's: OpenMP is asked as a compiler would ask it."""

    def __init__(self, openmp: ctypes.CDLL) -> None:
        from pipeline.engines.vibevoice.kernels import jit

        jit.begin({name: _address(openmp, name) for name in jit.OUTSIDE})
        self.kernel = functools.cache(jit.Kernel)
        self.start: Any = openmp.GOMP_parallel
        self.start.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
        self.start.restype = None

    def run(self, name: str, told: Sequence[int], threads: int, **sizes: int) -> None:
        """Do a job, whose addresses and numbers are told in the order that the kernel names.

        Args:
            sizes: for which the kernel is compiled, when it is first asked for.
        """
        job = (ctypes.c_int64 * len(told))(*told)
        self.start(self.kernel(name, **sizes).address, ctypes.addressof(job), threads, 0)


@functools.cache
def supported() -> bool:
    """True if the processor has AVX-512 BF16 and torch brought GNU's OpenMP, so that the kernels run."""
    return torch.cpu._is_avx512_bf16_supported() and bool(_openmp())


@functools.cache
def able() -> bool:
    """True if the kernels run and are the fastest: with AMX, oneDNN's are."""
    return supported() and not torch.cpu._is_amx_tile_supported()


def suits(dtype: torch.dtype, device: torch.device) -> bool:
    """Whether the kernels are for such numbers there."""
    return not _off.is_set() and device.type == "cpu" and dtype == torch.bfloat16 and able()


def switch_off() -> None:
    """Leave everything to torch's kernels in this process, from the next model on."""
    _off.set()


@functools.cache
def library() -> Library:
    (path,) = _openmp()
    return Library(ctypes.CDLL(str(path)))


def bits(number: float) -> int:
    """A float32 as a job is told it."""
    found: int = struct.unpack("i", struct.pack("f", number))[0]
    return found


def _openmp() -> list[Path]:
    """The library of the threads that torch computes with, if it brought GNU's."""
    return sorted(Path(torch.__file__).parent.glob("lib/libgomp*.so*"))[:1]


def _address(openmp: ctypes.CDLL, name: str) -> int:
    return ctypes.cast(getattr(openmp, name), ctypes.c_void_p).value or 0
