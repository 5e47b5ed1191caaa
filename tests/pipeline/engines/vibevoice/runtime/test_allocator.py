"""What oneDNN, and torch's bridge to it, keep for shapes that they met is bounded."""

import os
import subprocess
import sys
from pathlib import Path

from pipeline.engines.vibevoice.runtime.allocator import KERNELS

SHAPES = """
import sys

import torch

from pipeline.engines.vibevoice.checkpoint.files import open_checkpoint
from pipeline.engines.vibevoice.device import Device
from pipeline.engines.vibevoice.layers.linear import Blocked
from pipeline.engines.vibevoice.settings import Settings
from tests.pipeline.engines.vibevoice import heap

Device(open_checkpoint(sys.argv[1]).check(), Settings(device="cpu"))
product = Blocked(torch.randn(32, 64))

def compute(sizes):
    for size in sizes:
        product(torch.randn(size, 64))
    return heap.used()

before = compute(range(10, 20))
print(compute(range(20, 320)) - before)
"""


def grown(checkpoint: Path, **environment: str) -> int:
    """Bytes that 300 shapes leave behind."""
    command = [sys.executable, "-c", SHAPES, str(checkpoint)]
    unset = {name: value for name, value in os.environ.items() if name not in KERNELS}
    ran = subprocess.run(command, env={**unset, **environment}, capture_output=True, check=True)
    return int(ran.stdout)


def test_what_shapes_leave_behind_is_bounded(checkpoint: Path) -> None:
    unbounded = grown(checkpoint, **dict.fromkeys(KERNELS, "1024"))
    assert grown(checkpoint) < unbounded / 3
