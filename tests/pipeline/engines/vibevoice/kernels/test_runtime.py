"""LLVM is loaded only where our kernels run, and its pages are evicted after compiling."""

import subprocess
import sys

import pytest

from pipeline.engines.vibevoice.kernels import runtime

COMPILE = """
import psutil, torch
from pipeline.engines.vibevoice.kernels.rms_norm import norm
norm(torch.ones(1, 16).bfloat16(), 1e-6)
parts = [part for part in psutil.Process().memory_maps() if "llvmlite" in part.path]
print(sum(part.private_clean + part.private_dirty for part in parts) >> 20)
"""
FLOAT32 = """
import sys, torch
from pipeline.engines.vibevoice.layers.linear import make_linear
make_linear(torch.randn(2048, 1024))(torch.randn(3, 1024))
print("llvmlite" in sys.modules)
"""


def printed(program: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.mark.slow
@pytest.mark.skipif(not runtime.supported(), reason="needs AVX-512 BF16")
def test_the_pages_of_the_compiler_are_evicted() -> None:
    assert int(printed(COMPILE)) < 10, "MB of the 70 that it takes, but for what other processes have too"


@pytest.mark.slow
def test_the_compiler_is_not_loaded_without_our_kernels() -> None:
    assert printed(FLOAT32) == "False"
