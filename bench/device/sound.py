"""Checks of exactness: equal to the CPU in double precision, and the same bits in any batch."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from bench.device.context import Bench
from bench.harness.slots import decode_all
from pipeline.engines.vibevoice.checkpoint.files import open_checkpoint
from pipeline.engines.vibevoice.checkpoint.weights import Weights
from pipeline.engines.vibevoice.decoding.cuda_graphs import uncaptured
from pipeline.engines.vibevoice.decoding.decoder import Decoder
from pipeline.engines.vibevoice.decoding.frame_decoder import FrameDecoder
from pipeline.engines.vibevoice.decoding.request import Limits, SegmentRequest
from pipeline.engines.vibevoice.model.model import Model
from pipeline.engines.vibevoice.model.streaming_conv import ConvNextBlock
from pipeline.engines.vibevoice.runtime.fusion import InductorFusion

SEGMENTS = ((5, 20, 10), (0, 20, 10), (9, 20, 10), (2, 40, 5), (7, 25, 10))
"""Frames, prompt positions and solver steps of each segment."""
TOLERANCE = 1e-9
HALF_TOLERANCE = 1e-2
LIMITS = {"positions": 128, "frames": 64, "prefix_bytes": 1 << 20}

Sound = npt.NDArray[np.floating]


def exact(bench: Bench) -> dict[str, Any]:
    """Measure the largest relative error in float64 against the CPU, by slots, eager and captured."""
    parts = _weights(bench, torch.float64, torch.device("cpu"))
    expected = run(Decoder(Model(parts, 256), Limits(1, **LIMITS)), requests(Model(parts, 256)))
    found: dict[str, Any] = {}
    for captured in (False, True):
        for slots in (1, 3, 8):
            loop = _loop(bench, torch.float64, slots, captured=captured)
            made = run(loop, requests(loop.model))
            error = max(relative_error(one, right) for one, right in zip(made, expected, strict=True))
            found[f"{'captured' if captured else 'eager'}_{slots}"] = float(f"{error:.1e}")
            found["refusals"] = found.get("refusals", 0) + (loop.refusals or 0)
    worst = max(value for name, value in found.items() if name != "refusals")
    return {**found, "ok": worst <= TOLERANCE and not found["refusals"]}


def company(bench: Bench) -> dict[str, Any]:
    """Count the distinct results of one segment in half precision over orders of its batch."""
    kinds = set()
    orders = [0, 1, 2, 3, 4], [4, 3, 2, 0, 1], [2, 4, 0], [2]
    for captured in (False, True):
        for order in orders:
            loop = _loop(bench, torch.bfloat16, 5, captured=captured)
            all_of = requests(loop.model)
            made = run(loop, [all_of[number] for number in order])
            kinds.add(made[order.index(2)].tobytes())
    return {"kinds": len(kinds), "ok": len(kinds) == 1}


def fused_company(bench: Bench) -> dict[str, Any]:
    """Count them at full size with fused kernels: alone, in another slot, among other segments."""
    kinds = set()
    slots = 2 if bench.dry else 8
    loop = bench.decoder(slots, idle=slots)
    for before, after in ((0, 0), (1, 0), (slots - 1, 0), (1, slots - 2)):
        others = [bench.request(100 + n, 6 + n) for n in range(before + after)]
        made = run(loop, [*others[:before], bench.request(7, 12), *others[before:]])
        kinds.add(made[before].tobytes())
    return {
        "kinds": len(kinds),
        "fused": loop.fusion is not None and not loop.fusion.failed,
        "ok": len(kinds) == 1,
    }


def kernels(bench: Bench) -> dict[str, Any]:
    """Measure the relative error of our Triton kernels in half precision against torch."""
    if bench.dry:
        return {}
    loop, found = bench.decoder(4, fused=False), dict[str, Any]()
    with torch.inference_mode():
        for index, layer in enumerate(loop.model.acoustic_decoder.layers):
            if isinstance(layer, ConvNextBlock) and layer.memory[1] <= 128 and index % 4 == 0:
                found[f"conv_{layer.memory[1]}"] = _block_error(layer)
        cache, heads = loop.frame.cache, loop.model.language.config.heads
        cache.store[1].normal_()
        queries = torch.randn(8, heads, cache.store.shape[-1], device="cuda", dtype=cache.store.dtype)
        lengths = torch.tensor([1, 7, 64, 4096, 65, 1000, 2049, 300], device="cuda", dtype=torch.int32)
        ours = cache.attend(1, queries, lengths, own_kernels=True)
        cache.store, saved = cache.store.double(), cache.store
        right = cache._attend_masked(1, queries.double(), lengths)
        cache.store = saved
        found["attention"] = _distance(ours, right)
        found["attention_flash"] = _distance(cache.attend(1, queries, lengths), right)
    return found | {"ok": len(found) > 3 and max(found.values()) < HALF_TOLERANCE}


def _block_error(layer: ConvNextBlock) -> float:
    """Relative error of one block and of its state on random input."""
    steps, channels = 102400 // layer.memory[1], layer.memory[1]
    x = torch.randn(3, steps, channels, device="cuda", dtype=layer.wide.weight.dtype)
    past = torch.randn(3, *layer.memory, device="cuda", dtype=x.dtype)
    moved = past.clone()
    ours = layer.in_one_kernel(x, moved)
    right = layer(x, past)  # also updates `past`
    return max(_distance(ours, right), _distance(moved, past))


def _distance(found: torch.Tensor, right: torch.Tensor) -> float:
    return float(f"{float((found.double() - right.double()).norm() / right.double().norm()):.1e}")


def requests(model: Model) -> list[SegmentRequest]:
    """The segments of these checks."""
    found = []
    for number, (frames, positions, steps) in enumerate(SEGMENTS):
        noise = torch.Generator().manual_seed(100 + number)
        hidden = model.embeddings.shape[1]
        prompt = torch.randn(positions + 3 * number, hidden, generator=noise, dtype=torch.float64)
        tokens = (*(model.tokens.audio,) * frames, model.tokens.audio_end, model.tokens.end)
        speech = torch.Generator().manual_seed(number)
        found.append(SegmentRequest(prompt, (7,), speech, 60, steps=steps, forced=tokens))
    return found


def run(loop: Decoder | FrameDecoder, asked: Sequence[SegmentRequest]) -> list[Sound]:
    """Decode all requests; returns their samples."""
    return [row.samples() for row in decode_all(loop, asked)]


def relative_error(found: Sound, expected: Sound) -> float:
    """Largest difference divided by the largest sample; infinite if the lengths differ."""
    if found.shape != expected.shape:
        return float("inf")
    return float(np.abs(found - expected).max() / np.abs(expected).max()) if found.size else 0.0


def _weights(bench: Bench, dtype: torch.dtype, device: torch.device) -> Weights:
    return Weights(open_checkpoint(str(bench.tiny)).check(), dtype, device)


def _loop(
    bench: Bench, dtype: torch.dtype, slots: int, *, captured: bool, fusion: InductorFusion | None = None
) -> FrameDecoder:
    model = Model(_weights(bench, dtype, bench.device), 256)
    capture = bench.capture() if captured else uncaptured
    return FrameDecoder(model, Limits(slots, **LIMITS), capture=capture, fusion=fusion)
