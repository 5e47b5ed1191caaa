"""Peak memory of the stages at VibeVoice 1.5B's full size, and growth of a worker.

Each stage runs in its own process. Then 96 minutes of segments of a tiny checkpoint go through one real
worker, whose memory must not grow.

Takes about seven minutes on two cores, 7 GB of memory and 5.4 GB of disk.
"""

import json
import multiprocessing
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.harness import fullsize
from pipeline.engines.protocol import Line, Reference, SegmentText
from pipeline.engines.vibevoice.checkpoint import footprint
from pipeline.engines.vibevoice.checkpoint.files import open_checkpoint
from pipeline.engines.vibevoice.decoding.request import Limits, SegmentRequest
from pipeline.engines.vibevoice.device import Device
from pipeline.engines.vibevoice.engine import VibeVoice
from pipeline.engines.vibevoice.settings import EngineSettings
from tasks.metering.probes.linux_counters import Process

SLOTS = 8
PROMPT = 360

Stage = Callable[[Path, float], dict[str, Any]]


def decode(folder: Path, seconds: float) -> dict[str, Any]:
    """Decode with full slots for that long; caches count as far as they were written."""
    limits = Limits(SLOTS, positions=2048, frames=1024)
    device = Device(
        open_checkpoint(str(folder)).check(), EngineSettings(device="cpu", slots=SLOTS, positions=2048)
    )
    precision = device.precision("auto", quantized=False)
    decoder = fullsize.on_cpu(device.decoder(precision, SLOTS))
    rows = torch.full((PROMPT, 1536), 0.02, dtype=precision.dtype)
    for slot in range(SLOTS):
        noise = torch.Generator().manual_seed(slot)
        forced = fullsize.always(decoder, limits.frames)
        request = SegmentRequest(rows, (PROMPT - 1,), noise, tokens_max=limits.frames, forced=forced)
        decoder.admit({slot: request})
    end, frames = time.monotonic() + seconds, 0
    while time.monotonic() < end and frames < limits.frames - 1:
        decoder.step()
        frames += 1
    architecture, item_bytes = device.checkpoint.architecture, precision.dtype.itemsize
    weights = device.decoder_bytes(precision)
    caches = SLOTS * footprint.slot_bytes(architecture, PROMPT + frames, frames, item_bytes)
    caches += decoder.prefix_cache.size_bytes
    return {
        "dtype": str(precision.dtype),
        "frames": frames,
        "weights_bytes": weights,
        "caches_bytes": caches,
        "allowed": 1.1 * (weights + caches),
    }


def speaker(folder: Path, seconds: float) -> dict[str, Any]:
    """Embed a reference of 30 seconds."""
    engine = VibeVoice(str(folder), EngineSettings(device="cpu"))
    samples = np.random.default_rng(0).normal(0, 0.1, 30 * 24_000).astype(np.float32)
    made = engine.speaker(Reference(samples=samples, sample_rate_hz=24_000), engine.options({}))
    return {"voice": list(made.arrays["voice"].shape)}


def semantic(folder: Path, seconds: float) -> dict[str, Any]:
    """Run a segment of 250 words through the text and semantic stages."""
    engine = VibeVoice(str(folder))
    options = engine.options({})
    tokens = engine.text(SegmentText((Line(0, "word " * 250),), 1, 0), options)
    return {"vectors": list(engine.semantic(tokens, options).arrays["vectors"].shape)}


def child(line: Connection, stage: Stage, folder: Path, seconds: float, threads: int) -> None:
    torch.set_num_threads(threads)
    counted = Process()  # ru_maxrss would include the peak of the parent process
    before = counted.status()[b"VmHWM"]
    start = time.perf_counter()
    found = stage(folder, seconds)
    found["wall_s"] = round(time.perf_counter() - start, 1)
    found["libraries_bytes"] = before
    found["rss_peak_bytes"] = counted.status()[b"VmHWM"]
    line.send(found)


def measure(stage: Stage, folder: Path, seconds: float, threads: int) -> dict[str, Any]:
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    process = spawn.Process(target=child, args=(there, stage, folder, seconds, threads))
    process.start()
    there.close()
    found: dict[str, Any] = here.recv()
    process.join()
    return found


def main() -> None:
    wanted = fullsize.arguments(__doc__)
    wanted.add_argument("--seconds", type=float, default=120.0, help="of full slots")
    wanted.add_argument("--minutes", type=float, default=96.0, help="of audio for the growth")
    args = wanted.parse_args()
    with fullsize.checkpoint(args.folder) as folder:
        stages: dict[str, Stage] = {"semantic": semantic, "speaker": speaker, "diffusion": decode}
        found = {n: measure(stage, folder, args.seconds, args.threads) for n, stage in stages.items()}
    from bench.growth import growth  # here, so that the stages' processes do not load its imports

    with tempfile.TemporaryDirectory() as scratch:
        found["growth"] = growth(Path(scratch), args.minutes)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
