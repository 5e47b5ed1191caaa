"""Frames per second of transformers' `generate()` and of our loop, at VibeVoice 1.5B's full size.

Weights are random, in the engine's precision on this CPU: bfloat16, or float32 without AVX-512 BF16. Each
side runs in its own process, and they take turns frame by frame, so that both share the machine's conditions.
Takes about five minutes on two cores, with 11 GB of memory (18 in float32) and 5.4 GB of disk.

`--frozen` compares with a model whose weights need no gradients: torch then copies a weight for every row of
batches with non-contiguous rows, instead of folding the batch into one product.
"""

import json
import multiprocessing
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch

from bench.harness import fullsize, roofline
from pipeline.engines.vibevoice.checkpoint.files import open_checkpoint
from pipeline.engines.vibevoice.checkpoint.footprint import HALF
from pipeline.engines.vibevoice.checkpoint.weights import Weights
from pipeline.engines.vibevoice.decoding.decoder import Decoder
from pipeline.engines.vibevoice.decoding.request import Limits, SegmentRequest
from pipeline.engines.vibevoice.device import Device
from pipeline.engines.vibevoice.layers.linear import has_fp16_weight_kernel
from pipeline.engines.vibevoice.model.model import Model
from pipeline.engines.vibevoice.runtime.allocator import cap_primitive_caches, retain_freed_blocks
from pipeline.engines.vibevoice.settings import EngineSettings
from tasks.metering.probes.linux_counters import Process

PROMPT = 360
STEPS = 10
WARM_UP = 2

Side = Callable[[Connection, Path, torch.dtype, int], None]


class Timed:
    """Part of the model that records its time."""

    def __init__(self, part: Any, name: str, took_s: dict[str, float]) -> None:
        self.part, self.name, self.took_s = part, name, took_s

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.part, name)
        return self._timed(found) if name == "step" else found

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._timed(self.part)(*args, **kwargs)

    def _timed(self, work: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            start = time.perf_counter()
            made = work(*args, **kwargs)
            self.took_s[self.name] += time.perf_counter() - start
            return made

        return run


class EnoughError(Exception):
    """Exception that stops `generate()`."""


def theirs(line: Connection, folder: Path, dtype: torch.dtype, threads: int, *, frozen: bool) -> None:
    """Process with `generate()`: for each received number of rows, one frame per request."""
    from transformers import LogitsProcessor, LogitsProcessorList, VibeVoiceForConditionalGeneration

    torch.set_num_threads(threads)
    model = VibeVoiceForConditionalGeneration.from_pretrained(folder, dtype=dtype).eval()
    model.requires_grad_(not frozen)

    class Turns(LogitsProcessor):  # type: ignore[misc]  # transformers is untyped
        """Waits for a request before every frame, and forces every token to be a frame."""

        start = 0.0

        def __call__(self, ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
            line.send(time.perf_counter() - self.start)
            if not line.recv():
                raise EnoughError
            self.start = time.perf_counter()
            scores = scores.clone()
            scores[:, model.config.audio_token_id] += 1e6
            return scores

    while rows := line.recv():
        ids = torch.full((rows, PROMPT), 65)
        ids[:, -1] = model.config.audio_bos_token_id
        turns = LogitsProcessorList([Turns()])
        try:
            with torch.inference_mode():
                model.generate(
                    ids, attention_mask=torch.ones_like(ids), logits_processor=turns, max_new_tokens=500
                )
        except EnoughError:
            continue


def ours(line: Connection, folder: Path, dtype: torch.dtype, threads: int) -> None:
    """Process with our loop; sends its parts' times after each number of rows, and its peak at the end."""
    torch.set_num_threads(threads)
    retain_freed_blocks()
    cap_primitive_caches()
    weights = Weights(open_checkpoint(str(folder)).check(), dtype, torch.device("cpu"))
    model = Model(weights, positions=1024)
    took_s: dict[str, float] = defaultdict(float)
    for name in ("language", "sampler", "acoustic_decoder", "semantic_encoder"):
        setattr(model, name, Timed(getattr(model, name), name, took_s))
    while rows := line.recv():
        loop = filled(model, rows)
        line.send(0.0)
        took_s.clear()
        frames = 0
        while line.recv():
            start = time.perf_counter()
            loop.step()
            frames += 1
            line.send(time.perf_counter() - start)
        line.send({name: round(1e3 * took / frames, 1) for name, took in sorted(took_s.items())})
    line.send(Process().status()[b"VmHWM"])


def filled(model: Model, rows: int) -> Decoder:
    """Loop with all slots in use, on the same prompt, which is read once."""
    loop = Decoder(model, Limits(rows, positions=1024, frames=512))
    prompt = torch.full((PROMPT, model.embeddings.shape[1]), 0.02, dtype=model.dtype)
    forced = fullsize.always(loop, 500)
    for slot in range(rows):
        noise = torch.Generator().manual_seed(slot)
        loop.admit(
            {slot: SegmentRequest(prompt, (PROMPT - 1,), noise, tokens_max=500, steps=STEPS, forced=forced)}
        )
    return loop


def start(side: Side, folder: Path, dtype: torch.dtype, threads: int) -> Connection:
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    spawn.Process(target=side, args=(there, folder, dtype, threads), daemon=True).start()
    return here


def compare(their_line: Connection, our_line: Connection, rows: int, frames: int) -> dict[str, Any]:
    """Result of one batch size: both rates, their ratio, and the times of our parts."""
    for line in (their_line, our_line):
        line.send(rows)
        line.recv()
    took: list[list[float]] = [[], []]
    for _ in range(WARM_UP + frames):
        for line, one_side in zip((their_line, our_line), took, strict=True):
            line.send(True)
            one_side.append(line.recv())
    for line in (their_line, our_line):
        line.send(False)
    their_s, our_s = (statistics.median(one_side[WARM_UP:]) for one_side in took)
    return {
        "generate_fps": round(rows / their_s, 2),
        "ours_fps": round(rows / our_s, 2),
        "ratio": round(statistics.median(a / b for a, b in list(zip(*took, strict=True))[WARM_UP:]), 2),
        "step_ms": {"median": round(1e3 * our_s), "least": round(1e3 * min(took[1][WARM_UP:]))},
        "parts_ms": our_line.recv(),
    }


def run(
    lines: list[Connection], folder: Path, dtype: torch.dtype, rows: list[int], frames: int
) -> dict[str, Any]:
    """Run both sides in turns for each number of rows; `lines` are the pipes to theirs and ours."""
    architecture = open_checkpoint(str(folder)).check().architecture
    found: dict[str, Any] = {}
    item_bytes = HALF if has_fp16_weight_kernel(dtype, torch.device("cpu")) else dtype.itemsize
    for count in rows:
        made = compare(lines[0], lines[1], count, frames)
        machine = roofline.measure(dtype)
        least_ms = 1e3 * roofline.least_s(architecture, machine, count, STEPS, item_bytes)
        made["roofline_share"] = round(least_ms / made["step_ms"]["median"], 3)
        made["machine"] = {
            "read_gb_per_s": round(machine.bytes_per_s / 1e9, 1),
            "gemm_gflop_per_s": round(machine.flops_per_s / 1e9),
        }
        found[str(count)] = made
        print(f"{count} rows: {made}", flush=True)
    for line in lines:
        line.send(0)
    return {"rows": found, "dtype": str(dtype), "rss_peak_bytes": lines[1].recv()}


def main() -> None:
    wanted = fullsize.arguments(__doc__)
    wanted.add_argument("--rows", default="1,4,8", help="batch sizes")
    wanted.add_argument("--frames", type=int, default=12, help="frames of each")
    wanted.add_argument("--dtype", choices=("auto", "bfloat16", "float32"), default="auto")
    wanted.add_argument(
        "--frozen", action="store_true", help="generate() with weights that want no gradients"
    )
    args = wanted.parse_args()
    torch.set_num_threads(args.threads)
    rows = [int(count) for count in args.rows.split(",")]
    with fullsize.checkpoint(args.folder) as folder:
        dtype = Device(open_checkpoint(str(folder)), EngineSettings(device="cpu")).dtype(args.dtype)
        sides: list[Side] = [partial(theirs, frozen=args.frozen), ours]
        lines = [start(side, folder, dtype, args.threads) for side in sides]
        print(json.dumps(run(lines, folder, dtype, rows, args.frames) | {"threads": args.threads}))


if __name__ == "__main__":
    main()
