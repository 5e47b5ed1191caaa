"""Roofline model: the machine's bandwidth and arithmetic rate against the bytes and products of a frame."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import prod

import torch

from pipeline.engines.vibevoice.checkpoint.architecture import Architecture, ConvStackConfig
from pipeline.engines.vibevoice.layers.linear import make_linear


@dataclass(frozen=True)
class Machine:
    bytes_per_s: float
    flops_per_s: float


def fastest_s(work: Callable[[], object], times: int = 7) -> float:
    work()
    took = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        took.append(time.perf_counter() - start)
    return min(took)


@torch.inference_mode()
def measure(dtype: torch.dtype) -> Machine:
    """Measure read bandwidth over 512 MB, and the best rate of GEMMs with the model's shapes."""
    block = torch.ones(128 << 20)
    read_s = fastest_s(block.sum)
    rates = []
    for outer, inner in ((8960, 1536), (1536, 8960), (8192, 2048)):
        product = make_linear(torch.randn(outer, inner).to(dtype))
        for rows in (64, 256, 1024):
            x = torch.randn(rows, inner).to(dtype)
            rates.append(2 * rows * outer * inner / fastest_s(partial(product, x)))
    return Machine(block.nbytes / read_s, max(rates))


@dataclass(frozen=True)
class Part:
    """Minimum bytes that a part of a step reads, and its operations per row."""

    size_bytes: int
    flops: int

    def least_s(self, machine: Machine, rows: int) -> float:
        return max(self.size_bytes / machine.bytes_per_s, rows * self.flops / machine.flops_per_s)


def parts(architecture: Architecture, steps: int, item_bytes: int) -> list[Part]:
    """Parts of a frame in sequence; each reads its weights once per use."""
    sizes = {name: prod(shape) for name, shape in architecture.shapes().items()}
    language = _sum(sizes, "model.language_model.layers.")
    inner = _sum(sizes, "model.diffusion_head.layers.", "ffn.")
    adapt = _sum(sizes, "model.diffusion_head.layers.", "linear.")
    found = [Part(item_bytes * language, 4 * language), Part(item_bytes * adapt, 4 * steps * adapt)]
    found += [Part(item_bytes * inner, 4 * inner)] * steps
    for stack in (architecture.acoustic_decoder, architecture.semantic_encoder):
        found += _stack_parts(stack, item_bytes)
    return found


def least_s(architecture: Architecture, machine: Machine, rows: int, steps: int, item_bytes: int) -> float:
    """Lower bound of the time of a step with that many rows."""
    return sum(part.least_s(machine, rows) for part in parts(architecture, steps, item_bytes))


def _sum(sizes: dict[str, int], start: str, part: str = "") -> int:
    return sum(size for name, size in sizes.items() if name.startswith(start) and part in name)


def _stack_parts(stack: ConvStackConfig, item_bytes: int) -> list[Part]:
    """Weights of a stage by use per step, at the stage's own rate."""
    sizes = {name: prod(shape) for name, shape in stack.shapes()}
    ratios = stack.ratios[::-1] if stack.upward else stack.ratios
    time = 1 if stack.upward else stack.hop
    stem = _sum(sizes, f"{stack.root}stem.")
    found = [Part(item_bytes * stem, 2 * stem * time)]
    for index, ratio in enumerate(ratios):
        resampling = _sum(sizes, f"{stack.root}conv_layers.{index}.conv")
        blocks = _sum(sizes, f"{stack.root}conv_layers.{index}.stage.")
        before, time = time, time * ratio if stack.upward else time // ratio
        found.append(Part(item_bytes * resampling, 2 * resampling * min(before, time)))
        found.append(Part(item_bytes * blocks, 2 * blocks * time))
    return found
