"""Errors, memory and speed of 8-bit weights of the language model, at VibeVoice 1.5B's full size.

Three decoders read the same prompt and decode the same frames from the same noise: in float32, in bfloat16,
and in bfloat16 with 8-bit weights. Errors are root mean square, relative to float32. Weights are random, so
the result says nothing about sound. Takes about two minutes on two cores, 10 GB of memory and 5.4 GB of disk.
"""

import gc
import json
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from bench.harness import fullsize
from pipeline.engines.vibevoice.checkpoint import footprint
from pipeline.engines.vibevoice.checkpoint.files import Checkpoint, open_checkpoint
from pipeline.engines.vibevoice.decoding.request import Precision, SegmentRequest
from pipeline.engines.vibevoice.device import Device
from pipeline.engines.vibevoice.settings import EngineSettings

PROMPT = 360
VARIANTS = {
    "float32": Precision(torch.float32),
    "bfloat16": Precision(torch.bfloat16),
    "int8": Precision(torch.bfloat16, quantized=True),
}


@dataclass(frozen=True)
class Heard:
    """Results of one decoder."""

    states: npt.NDArray[np.float32]
    """(hidden,), after the prompt."""
    samples: npt.NDArray[np.float32]
    step_s: float


def speak(checkpoint: Checkpoint, precision: Precision, frames: int) -> Heard:
    device = Device(checkpoint, EngineSettings(device="cpu", positions=1024, frames=512))
    decoder = fullsize.on_cpu(device.decoder(precision, 1))
    prompt = torch.randn(PROMPT, 1536, generator=torch.Generator().manual_seed(0)) * 0.02
    noise = torch.Generator().manual_seed(1)
    forced = fullsize.always(decoder, frames)
    asked = SegmentRequest(prompt.to(precision.dtype), (), noise, tokens_max=frames, forced=forced)
    row = decoder.admit({0: asked})[0]
    states, took = decoder.states[0, 0].float().numpy().copy(), []
    for _ in range(frames):
        start = time.perf_counter()
        decoder.step()
        took.append(time.perf_counter() - start)
    return Heard(states, row.samples().astype(np.float32), statistics.median(took))


def error(made: npt.NDArray[np.float32], expected: npt.NDArray[np.float32]) -> float:
    return round(float(np.linalg.norm(made - expected) / np.linalg.norm(expected)), 4)


def measure(folder: Path, frames: int) -> dict[str, Any]:
    checkpoint, heard = open_checkpoint(str(folder)).check(), {}
    found: dict[str, Any] = {"frames": frames}
    for name, precision in VARIANTS.items():
        heard[name] = speak(checkpoint, precision, frames)
        gc.collect()
        size = footprint.decoder_bytes(
            checkpoint.architecture, precision.dtype.itemsize, quantized=precision.quantized
        )
        found[name] = {
            "state_error": error(heard[name].states, heard["float32"].states),
            "first_frame_error": error(heard[name].samples[:3200], heard["float32"].samples[:3200]),
            "audio_error": error(heard[name].samples, heard["float32"].samples),
            "weights_bytes": size,
            "step_ms": round(1e3 * heard[name].step_s),
        }
    return found


def main() -> None:
    wanted = fullsize.arguments(__doc__)
    wanted.add_argument("--frames", type=int, default=15)
    args = wanted.parse_args()
    torch.set_num_threads(args.threads)
    with fullsize.checkpoint(args.folder) as folder:
        print(json.dumps(measure(folder, args.frames)))


if __name__ == "__main__":
    main()
