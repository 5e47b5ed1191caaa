"""Checks of the engine in a worker: other threads, exhausted memory, a lost device, the driver's metering."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from bench.device.context import Bench, Synthetic
from bench.device.speed import paced_ms
from bench.harness.controls import Watch
from pipeline.engines.vibevoice.decoding.frame_decoder import FrameDecoder
from pipeline.engines.vibevoice.decoding.request import Limits, SegmentRequest
from pipeline.engines.vibevoice.decoding.scheduler import Scheduler
from pipeline.engines.vibevoice.model.speaker_encoder import SpeakerEncoder

SECONDS = 30
"""Length of the recording that another thread encodes."""

LOST = """
import torch
from pipeline.engines.vibevoice.runtime import torch_errors
x = torch.zeros(8, device="cuda"); w = torch.randn(64, 64, device="cuda", dtype=torch.bfloat16)
torch.cuda.synchronize()
def tried(name, work):
    try:
        work()
        print(name, "no error")
    except RuntimeError as error:
        full = torch_errors.is_out_of_memory(error)
        print(name, type(error).__name__, torch_errors.device_is_lost(error), full)
tried("index", lambda: x[torch.tensor([10**9], device="cuda")].cpu())
tried("gemm", lambda: (w @ w).cpu())
tried("copy", lambda: x.cpu())
"""


def beside(bench: Bench) -> dict[str, Any]:
    """Measure milliseconds of a frame: alone, beside a voice encoder, and beside a busy Python thread."""
    encoder = SpeakerEncoder(Synthetic(bench.architecture(), bench.device))
    seconds = 1 if bench.dry else SECONDS
    sound = np.random.default_rng(0).normal(0, 0.1, 24000 * seconds).astype(np.float32)
    stop, took = threading.Event(), []
    encoder(sound)

    def encode() -> None:
        while not stop.is_set():
            start = time.perf_counter()
            encoder(sound).cpu()
            took.append(time.perf_counter() - start)

    def compute() -> None:
        while not stop.is_set():
            sum(number * number for number in range(2000))

    loop, found = bench.decoder(2 if bench.dry else 8, fused=False), {}
    saved = sys.getswitchinterval()
    for name, other, interval in (
        ("alone", None, saved),
        ("voice", encode, saved),
        ("python_5ms", compute, 0.005),
        ("python_0.5ms", compute, 0.0005),
    ):
        found[name] = round(_measured(bench, loop, other, interval, stop), 2)
    sys.setswitchinterval(saved)
    return found | {"voice_s": round(min(took), 3), "refusals": loop.refusals or 0, "ok": not loop.refusals}


def _measured(
    bench: Bench,
    loop: FrameDecoder,
    other: Callable[[], None] | None,
    interval: float,
    stop: threading.Event,
) -> float:
    sys.setswitchinterval(interval)
    stop.clear()
    thread = threading.Thread(target=other, daemon=True) if other else None
    if thread:
        thread.start()
    try:
        return paced_ms(bench, loop, 20)
    finally:
        stop.set()
        if thread:
            thread.join()


def memory_runs_out(bench: Bench) -> dict[str, Any]:
    """Run the scheduler on a card with memory for a few slots: it uses fewer, and no segment is lost."""
    model = bench.model()
    made: list[int] = []

    def make(slots: int) -> FrameDecoder:
        made.append(slots)
        if bench.dry and slots > 2:
            raise torch.OutOfMemoryError("none here")
        return FrameDecoder(model, Limits(slots), capture=bench.capture())

    batch = Scheduler(make, 8 if bench.dry else 64, 5.0)
    if not bench.dry:
        bench.tidy()
        total = torch.cuda.get_device_properties(0).total_memory
        room = torch.cuda.memory_allocated() + 24 * (210 << 20) + (1 << 30)
        torch.cuda.set_per_process_memory_fraction(min(1.0, room / total))

    def request(seed: int) -> Callable[[], SegmentRequest]:
        return lambda: replace(bench.request(seed, 6, 40), cuts=())

    try:
        with ThreadPoolExecutor(8) as pool:
            sizes = list(pool.map(lambda n: batch.decode(request(n), 6, Watch()).size // model.hop, range(8)))
    finally:
        if not bench.dry:
            torch.cuda.set_per_process_memory_fraction(1.0)
        batch.decoder = None
        bench.tidy()
    return {"sizes": sizes, "slots": made, "ok": sizes == [6] * 8 and made[-1] < made[0], **bench.memory()}


def device_lost(bench: Bench) -> dict[str, Any]:
    """Check that every error of a broken device is recognised as its loss."""
    if bench.dry:
        return {}
    done = subprocess.run(
        [sys.executable, "-c", LOST], capture_output=True, text=True, timeout=60, check=False
    )
    lines = done.stdout.splitlines()
    return {"errors": lines, "ok": len(lines) == 3 and all("True False" in line for line in lines)}


def accounts(bench: Bench) -> dict[str, Any]:
    """Measure the task columns of NVML and torch during some seconds of decoding."""
    from tasks.metering.probes.gpu import Gpu

    run = Gpu.probe().begin(alone=True)
    if run is None:
        return {"ok": bench.dry}
    loop, start = bench.decoder(8, fused=False), time.perf_counter()
    while time.perf_counter() - start < 3:
        loop.step()
    run.sample()
    row = run.end(time.perf_counter() - start, 1)
    empty = [name for name, value in row.items() if value is None]
    return {**row, "empty": empty, "ok": row.get("gpu_mem_method") is not None}
