"""Memory footprint of the model, computed before loading, and the number of slots that fit a device."""

from collections.abc import Iterable
from math import prod

import psutil

from pipeline import cgroup
from pipeline.engines.vibevoice.checkpoint.architecture import Architecture, ConvStackConfig, Shape

TABLES = ("model.language_model.embed_tokens.weight", "lm_head.weight")
LANGUAGE = "model.language_model.layers."
TIMES = "model.diffusion_head.timestep_proj."
"""Prefix of the timestep embedding's weights, which are read once per number of steps and not retained."""
SPEAKER = ("model.audio_tower.encoder.", "model.multi_modal_projector.", "model.latent_")
RESERVE_BYTES = 512 << 20
"""Reserve for the activations of a step and the libraries themselves."""
WORKSPACE_BYTES = 16 << 20
"""Largest activations of the streaming stacks per slot in a captured frame."""
NOISE_ITEM_BYTES = 4
STEPS_MAX = 100
"""Most solver steps of a request."""
HALF = 2
"""Bytes of an element in half precision."""
FP16_WEIGHT_MIN = 1 << 18
"""Elements from which a weight is stored in float16. A smaller one fits the CPU caches: no gain."""


def count(shape: Shape) -> int:
    """Count the elements of a tensor of that shape."""
    return prod(shape)


def _bytes(shapes: Iterable[Shape], item_bytes: int) -> int:
    return sum(prod(shape) for shape in shapes) * item_bytes


def _weight_bytes(shapes: Iterable[Shape], item_bytes: int, *, fp16_weights: bool) -> int:
    """Compute the size of weights.

    Args:
        fp16_weights: large weights are stored in half precision (`linear.Fp16WeightLinear`).
    """
    sizes = [prod(shape) for shape in shapes]
    saved = sum(size for size in sizes if fp16_weights and size >= FP16_WEIGHT_MIN)
    return sum(sizes) * item_bytes - saved * (item_bytes - HALF)


def decoder_bytes(
    architecture: Architecture, item_bytes: int, *, quantized: bool = False, fp16_weights: bool = False
) -> int:
    """Compute the size of the decoder's weights: without embedding table and acoustic encoder."""
    others = (*TABLES, TIMES, architecture.acoustic_encoder.root)
    used = {name: s for name, s in architecture.shapes().items() if not name.startswith(others)}
    saved = (s for name, s in used.items() if quantized and name.startswith(LANGUAGE) and len(s) > 1)
    return _weight_bytes(used.values(), item_bytes, fp16_weights=fp16_weights) - _bytes(saved, item_bytes - 1)


def speaker_bytes(architecture: Architecture, item_bytes: int, *, fp16_weights: bool = False) -> int:
    """Compute the size of the speaker encoder's weights."""
    used = (s for name, s in architecture.shapes().items() if name.startswith(SPEAKER))
    return _weight_bytes(used, item_bytes, fp16_weights=fp16_weights)


def slot_bytes(architecture: Architecture, positions: int, frames: int, item_bytes: int) -> int:
    """Compute the size of one slot: KV caches of both branches, and state of the streaming stacks."""
    stacks = (architecture.acoustic_decoder, architecture.semantic_encoder)
    caches = (positions + frames + 1) * architecture.language.position_values
    return (caches + sum(_stack_values(stack) for stack in stacks)) * item_bytes


def frame_bytes(architecture: Architecture, frames: int, item_bytes: int) -> int:
    """Compute the size of one slot's tables on an accelerator: noise, audio, solver steps, workspace."""
    noise = frames * architecture.head.latent * NOISE_ITEM_BYTES
    sound = (frames + 1) * architecture.hop * item_bytes
    steps = STEPS_MAX * architecture.language.hidden * item_bytes
    return noise + sound + steps + WORKSPACE_BYTES


def _stack_values(stack: ConvStackConfig) -> int:
    """Count the elements of a streaming stack's state per row."""
    past = stack.kernel - 1
    blocks = sum(depth * width * past for _, depth, width in stack.stages())
    widths = stack.widths[:-1]
    resampling = sum(ratio * width for ratio, width in zip(stack.ratios, widths, strict=True))
    first, last = (stack.latent, widths[0]) if stack.upward else (stack.channels, stack.widths[-1])
    return blocks + resampling + past * (first + last)


def fitting_slots(free_bytes: int, weights_bytes: int, per_slot_bytes: int, most: int) -> int:
    """Compute the number of slots that fit, at least 1 and at most `most`.

    >>> fitting_slots(free_bytes=8 << 30, weights_bytes=4 << 30, per_slot_bytes=176 << 20, most=8)
    8
    >>> fitting_slots(free_bytes=5 << 30, weights_bytes=4 << 30, per_slot_bytes=176 << 20, most=8)
    2
    """
    return max(1, min(most, (free_bytes - weights_bytes - RESERVE_BYTES) // per_slot_bytes))


def available_bytes() -> int:
    """Compute the free memory of this machine and of the cgroups that this process is in."""
    free = int(psutil.virtual_memory().available)
    allowed = cgroup.memory_available_bytes()
    return free if allowed is None else min(free, allowed)
