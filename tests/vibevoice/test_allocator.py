"""What oneDNN, and torch's bridge to it, keep for shapes that they met is bounded."""

import os
import subprocess
import sys
from pathlib import Path

SHAPES = """
import ctypes
import sys

import torch

from pipeline.engines.vibevoice.checkpoint import open_checkpoint
from pipeline.engines.vibevoice.device import Device
from pipeline.engines.vibevoice.linear import Blocked
from pipeline.engines.vibevoice.settings import Settings

class Heap(ctypes.Structure):  # glibc's mallinfo2
    _fields_ = [(name, ctypes.c_size_t) for name in (*"abcdefg", "used", "free", "top")]

libc = ctypes.CDLL(None)
libc.mallinfo2.restype = Heap
Device(open_checkpoint(sys.argv[1]).check(), Settings(device="cpu"))
product = Blocked(torch.randn(32, 64))

def compute(sizes):
    for size in sizes:
        product(torch.randn(size, 64))
    return libc.mallinfo2().used

before = compute(range(10, 20))
print(compute(range(20, 320)) - before)
"""


def grown(checkpoint: Path, **environment: str) -> int:
    """Bytes that 300 shapes leave behind."""
    command = [sys.executable, "-c", SHAPES, str(checkpoint)]
    ran = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, check=True)
    return int(ran.stdout)


def test_what_shapes_leave_behind_is_bounded(checkpoint: Path) -> None:
    unbounded = grown(checkpoint, ONEDNN_PRIMITIVE_CACHE_CAPACITY="1024", LRU_CACHE_CAPACITY="1024")
    assert grown(checkpoint) < unbounded / 3
