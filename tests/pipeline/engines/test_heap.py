"""Tests of glibc's heap, each in a process of its own."""

import subprocess
import sys

import pytest

_THREAD = """
import ctypes, sys, threading
from pipeline.engines.heap import use_one_heap
if sys.argv[1] == "one":
    use_one_heap()
thread = threading.Thread(target=lambda: [bytes(100_000) for _ in range(100)])
thread.start()
thread.join()
glibc = ctypes.CDLL(None)
glibc.malloc_info(0, ctypes.c_void_p.in_dll(glibc, "stdout"))
glibc.fflush(None)
"""
_FREED = """
from psutil import Process
from pipeline.engines.heap import trim_heap
blocks = [bytes(100_000) for _ in range(500)]
last = bytes(100_000)
del blocks
before = Process().memory_info().rss
trim_heap()
print(before - Process().memory_info().rss)
"""


def output(code: str, *arguments: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.parametrize(("heaps", "count"), [("one", 1), ("several", 2)])
def test_threads_share_one_heap(heaps: str, count: int) -> None:
    assert output(_THREAD, heaps).count("<heap nr=") == count


def test_trimming_returns_freed_memory_below_the_top_of_the_heap() -> None:
    assert int(output(_FREED)) > 30_000_000
