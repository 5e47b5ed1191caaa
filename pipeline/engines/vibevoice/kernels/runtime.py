"""Compiled kernels of this process, launched in torch's OpenMP threads."""

import ctypes
import functools
import struct
import threading
from collections.abc import Sequence
from typing import Any

import torch

from pipeline.engines.vibevoice.runtime import torch_internals

_off = threading.Event()


class KernelLibrary:
    """Kernels by name, launched with libgomp's `GOMP_parallel` like compiled OpenMP code."""

    def __init__(self, openmp: ctypes.CDLL) -> None:
        from pipeline.engines.vibevoice.kernels import jit

        jit.initialise({name: _address(openmp, name) for name in jit.EXTERNALS})
        self.kernel = functools.cache(jit.Kernel)
        self.start: Any = openmp.GOMP_parallel
        self.start.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
        self.start.restype = None

    def run(self, name: str, arguments: Sequence[int], threads: int, **sizes: int) -> None:
        """Launch a kernel, which is compiled at its first use.

        Args:
            arguments: addresses and integers, in the order of the kernel's arguments in `abi`.
            sizes: compile-time constants of the kernel.
        """
        block = (ctypes.c_int64 * len(arguments))(*arguments)
        self.start(self.kernel(name, **sizes).address, ctypes.addressof(block), threads, 0)


@functools.cache
def supported() -> bool:
    """Return True if the CPU has AVX-512 BF16 and torch comes with libgomp, so that the kernels run."""
    return torch_internals.cpu_has_avx512_bf16() and bool(torch_internals.openmp_libraries())


@functools.cache
def preferred() -> bool:
    """Return True if the kernels run and are the fastest; on CPUs with AMX, oneDNN's are."""
    return supported() and not torch_internals.cpu_has_amx()


def usable(dtype: torch.dtype, device: torch.device) -> bool:
    """Return True if the kernels support that type on that device, and are not switched off."""
    return not _off.is_set() and device.type == "cpu" and dtype == torch.bfloat16 and preferred()


def switch_off() -> None:
    """Use torch's kernels only in this process, for models loaded from now on."""
    _off.set()


@functools.cache
def library() -> KernelLibrary:
    """Return the kernels of this process."""
    (path,) = torch_internals.openmp_libraries()
    return KernelLibrary(ctypes.CDLL(str(path)))


def float_bits(number: float) -> int:
    """Convert a float to the bits of a float32, as kernels take it."""
    found: int = struct.unpack("i", struct.pack("f", number))[0]
    return found


def _address(openmp: ctypes.CDLL, name: str) -> int:
    return ctypes.cast(getattr(openmp, name), ctypes.c_void_p).value or 0
