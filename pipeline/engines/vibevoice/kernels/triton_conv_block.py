"""ConvNeXt block of few channels in one Triton kernel: norm, depthwise convolution, norm, MLP.

The blocks nearest to the samples have 32 to 128 channels and hundreds to thousands of steps. Activations are
read and written once, so the instructions of the multiprocessors are the limit. Accumulation is in float32.
"""

# mypy: disable-error-code="no-untyped-def"

import torch
import triton
import triton.language as tl

CHANNELS_MAX = 128
"""Most channels. Blocks with more have fewer steps, and programs would read their weights too often."""
STEPS = 64
"""Steps per program."""
EARLIER = 16
"""Steps before a program's first that it normalises too; at least the kernel's width less one."""
WARPS = 4
"""Warps per program. One warp group multiplies 64 steps; a second would only repeat its work."""
HIDDEN = 64
"""Hidden channels of the MLP per tile."""


def supports(x: torch.Tensor) -> bool:
    """Return True if the kernel supports x (rows, time, channels)."""
    channels = x.shape[2]
    few = 32 <= channels <= CHANNELS_MAX and channels & (channels - 1) == 0
    return few and x.shape[1] >= STEPS and x.dtype in (torch.bfloat16, torch.float16)


def conv_block(
    x: torch.Tensor,
    past: torch.Tensor,
    kernel: torch.Tensor,
    bias: torch.Tensor,
    wide: tuple[torch.Tensor, torch.Tensor],
    narrow: tuple[torch.Tensor, torch.Tensor],
    epsilon: float,
) -> torch.Tensor:
    """Run the block.

    Args:
        x: (rows, time, channels), contiguous.
        past: (rows, width - 1, channels), the normalised steps before x; updated in place.
        kernel: (channels, width) and bias (channels,), in float32.
        wide: weight (hidden, channels) and bias (hidden,).
        narrow: weight (channels, hidden) and bias (channels,).
        epsilon: of both norms.

    Returns:
        (rows, time, channels).
    """
    rows, time, channels = x.shape
    programs = triton.cdiv(time, STEPS)
    out, moved = torch.empty_like(x), torch.empty(past.shape, dtype=past.dtype, device=past.device)
    normed = x.new_empty(rows, programs, EARLIER + STEPS, channels)
    _conv_block[(programs, rows)](
        x, past, kernel, bias, *wide, *narrow, out, moved, normed, time, past.stride(0), epsilon,
        CHANNELS=channels, WIDTH=kernel.shape[1], EXPANDED=wide[0].shape[0], STEPS=STEPS, HIDDEN=HIDDEN,
        EARLIER=EARLIER, num_warps=WARPS,
    )  # fmt: skip
    past.copy_(moved)
    return out


@triton.jit  # type: ignore[untyped-decorator,unused-ignore]  # triton is untyped
def _read(x, first, steps, time, channels, CHANNELS: tl.constexpr):
    inside = (steps >= 0) & (steps < time)
    places = (first + steps)[:, None] * CHANNELS + channels[None, :]
    return tl.load(x + places, mask=inside[:, None], other=0.0).to(tl.float32)


@triton.jit  # type: ignore[untyped-decorator,unused-ignore]  # triton is untyped
def _normed(value, epsilon, CHANNELS: tl.constexpr):
    return value * tl.rsqrt(tl.sum(value * value, 1) / CHANNELS + epsilon)[:, None]


@triton.jit  # type: ignore[untyped-decorator,unused-ignore]  # triton is untyped
def _gelu(x):
    # x Phi(x), with Phi as 0.5 plus an odd polynomial: at most 5e-5 off for |x| < 6. Triton's erf
    # takes three times the instructions.
    at = tl.minimum(tl.maximum(x, -4.2), 4.2)
    u = at * at
    phi = 2.3436717810909613e-07 + u * (-5.633309818620091e-09 + u * 5.998057606149132e-11)
    phi = -0.001114147831685841 + u * (9.457435953663662e-05 + u * (-5.760765361628728e-06 + u * phi))
    phi = 0.3989074230194092 + u * (-0.06636036932468414 + u * (0.009830130264163017 + u * phi))
    return x * (0.5 + at * phi)


@triton.jit  # type: ignore[untyped-decorator,unused-ignore]  # triton is untyped
def _conv_block(
    x, past, kernel, bias, wide, wide_bias, narrow, narrow_bias, out, moved, normed, time, past_stride,
    epsilon, CHANNELS: tl.constexpr, WIDTH: tl.constexpr, EXPANDED: tl.constexpr, STEPS: tl.constexpr,
    HIDDEN: tl.constexpr, EARLIER: tl.constexpr,
):  # fmt: skip
    kind = out.dtype.element_ty
    row = tl.program_id(1)
    start = tl.program_id(0) * STEPS
    steps = start + tl.arange(0, STEPS)
    channels = tl.arange(0, CHANNELS)
    # Normalised steps of this program and the few before it, from the block's past where they precede x.
    mine = normed + (row * tl.num_programs(0) + tl.program_id(0)) * (EARLIER + STEPS) * CHANNELS
    before = start - EARLIER + tl.arange(0, EARLIER)
    value = _read(x, row * time, before, time, channels, CHANNELS)
    heard = _normed(value, epsilon, CHANNELS).to(kind)
    in_past = before + WIDTH - 1
    places = row * past_stride + in_past[:, None] * CHANNELS + channels[None, :]
    earlier = tl.load(past + places, mask=((in_past >= 0) & (before < 0))[:, None], other=0.0)
    heard = tl.where((before >= 0)[:, None], heard, earlier)
    places = tl.arange(0, EARLIER)[:, None] * CHANNELS + channels[None, :]
    tl.store(mine + places, heard)
    now = _read(x, row * time, steps, time, channels, CHANNELS)
    heard = _normed(now, epsilon, CHANNELS).to(kind)
    places = (EARLIER + tl.arange(0, STEPS))[:, None] * CHANNELS + channels[None, :]
    tl.store(mine + places, heard)
    last = steps - (time - (WIDTH - 1))
    ends = (row * (WIDTH - 1) + last)[:, None] * CHANNELS + channels[None, :]
    tl.store(moved + ends, heard, mask=((last >= 0) & (steps < time))[:, None])
    tl.debug_barrier()
    total = tl.zeros((STEPS, CHANNELS), tl.float32) + tl.load(bias + channels)[None, :]
    for tap in tl.static_range(WIDTH):
        heard = tl.load(mine + places - (WIDTH - 1 - tap) * CHANNELS)
        total += heard.to(tl.float32) * tl.load(kernel + channels * WIDTH + tap)[None, :]
    y = (total.to(kind).to(tl.float32) + now).to(kind)
    wide_y = y.to(tl.float32)
    normed_y = _normed(wide_y, epsilon, CHANNELS).to(kind)
    added = tl.zeros((STEPS, CHANNELS), tl.float32) + tl.load(narrow_bias + channels)[None, :].to(tl.float32)
    for first in range(0, EXPANDED, HIDDEN):
        hidden = first + tl.arange(0, HIDDEN)
        into = tl.load(wide + channels[:, None] + hidden[None, :] * CHANNELS)
        inner = tl.dot(normed_y, into) + tl.load(wide_bias + hidden)[None, :].to(tl.float32)
        inner = _gelu(inner.to(kind).to(tl.float32))
        back = tl.load(narrow + hidden[:, None] + channels[None, :] * EXPANDED)
        added += tl.dot(inner.to(kind), back)
    places = (row * time + steps)[:, None] * CHANNELS + channels[None, :]
    tl.store(out + places, (added + wide_y).to(kind), mask=(steps < time)[:, None])
