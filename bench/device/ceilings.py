"""Limits of the machine itself: bandwidth, arithmetic, kernel launches."""

import os
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from bench.device.context import Bench

Found = dict[str, Any]


def machine(bench: Bench) -> Found:
    """Name the card and measure its limits."""
    found: Found = {"torch": torch.__version__, "cpus": os.cpu_count(), "switch_s": sys.getswitchinterval()}
    if bench.dry:
        return found
    card = torch.cuda.get_device_properties(0)
    version: Any = torch.backends.cudnn.version
    found |= {"gpu": card.name, "sm": card.multi_processor_count, "cuda": torch.version.cuda}
    found |= {"cudnn": version(), "uuid": str(card.uuid), **bench.memory()}
    x = torch.empty(1 << 29, device="cuda", dtype=torch.bfloat16)
    y = torch.empty_like(x)
    found["copy_tb_per_s"] = round(2 * x.nbytes / bench.device_ms(lambda: y.copy_(x)) / 1e9, 2)
    x = y = torch.empty(0)
    a = torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16)
    found["gemm_tflop_per_s"] = round(2 * 8192**3 / bench.device_ms(lambda: a @ a) / 1e9)
    z = torch.zeros(64, device="cuda")
    start = time.perf_counter()
    for _ in range(2000):
        z.add_(1)
    found["launch_us"] = round(1e6 * (time.perf_counter() - start) / 2000, 2)
    found["graph_node_us"] = round(1e3 * chained(bench, lambda _: z.add_(1), 1000), 3)
    weights = [torch.randn(8960, 1536, device="cuda", dtype=torch.bfloat16) for _ in range(28)]
    for rows in (2, 16, 128):
        given = torch.randn(rows, 1536, device="cuda", dtype=torch.bfloat16)
        took = chained(bench, lambda n, given=given: F.linear(given, weights[n % 28]), 28)  # type: ignore[misc]
        found[f"linear_{rows}_rows_tb_per_s"] = round(weights[0].nbytes / took / 1e9, 2)
    return found


def chained(bench: Bench, work: Callable[[int], object], count: int) -> float:
    """Milliseconds of one operation in a CUDA graph of many."""
    for number in range(2):
        work(number)
    bench.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for number in range(count):
            work(number)
    replay: Any = graph.replay
    return bench.device_ms(replay) / count
