"""Bounds on the primitive caches of oneDNN and of torch's bridge to it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.engines.vibevoice.runtime.allocator import CACHE_CAPACITIES

SHAPES = """
import sys

import torch

from pipeline.engines.vibevoice.checkpoint.files import open_checkpoint
from pipeline.engines.vibevoice.device import Device
from pipeline.engines.vibevoice.layers.linear import OneDnnLinear
from pipeline.engines.vibevoice.settings import EngineSettings
from tests.pipeline.engines.vibevoice import heap

Device(open_checkpoint(sys.argv[1]).check(), EngineSettings(device="cpu"))
product = OneDnnLinear(torch.randn(32, 64))

def compute(sizes):
    for size in sizes:
        product(torch.randn(size, 64))
    return heap.used()

before = compute(range(10, 20))
print(compute(range(20, 320)) - before)
"""


def grown(checkpoint: Path, **environment: str) -> int:
    """Return the bytes that 300 shapes leave in the heap."""
    command = [sys.executable, "-c", SHAPES, str(checkpoint)]
    unset = {name: value for name, value in os.environ.items() if name not in CACHE_CAPACITIES}
    ran = subprocess.run(command, env={**unset, **environment}, capture_output=True, check=True)
    return int(ran.stdout)


@pytest.mark.slow
def test_primitive_caches_are_bounded(checkpoint: Path) -> None:
    unbounded = grown(checkpoint, **dict.fromkeys(CACHE_CAPACITIES, "1024"))
    assert grown(checkpoint) < unbounded / 3
