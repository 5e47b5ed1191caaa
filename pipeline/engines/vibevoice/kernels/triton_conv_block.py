"""ConvNeXt block of few channels in one Triton kernel: norm, depthwise convolution, norm, MLP.

The blocks nearest to the samples have 32 to 128 channels and hundreds to thousands of steps. They are bound
by the bandwidth of activations, which are read and written once here. Accumulation is in float32.
"""

# mypy: disable-error-code="no-untyped-def"

import torch
import triton
import triton.language as tl

CHANNELS_MAX = 128
"""Most channels. Blocks with more have fewer steps, and programs would read their weights too often."""
STEPS = 64
"""Steps per program."""
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
    out, moved = torch.empty_like(x), torch.empty(past.shape, dtype=past.dtype, device=past.device)
    _conv_block[(triton.cdiv(time, STEPS), rows)](
        x, past, kernel, bias, *wide, *narrow, out, moved, time, past.stride(0), epsilon,
        CHANNELS=channels, WIDTH=kernel.shape[1], EXPANDED=wide[0].shape[0], STEPS=STEPS, HIDDEN=HIDDEN,
        num_warps=4 if channels == 32 else 8,
    )  # fmt: skip
    past.copy_(moved)
    return out


@triton.jit  # type: ignore[untyped-decorator,unused-ignore]  # triton is untyped
def _conv_block(
    x, past, kernel, bias, wide, wide_bias, narrow, narrow_bias, out, moved, time, past_stride, epsilon,
    CHANNELS: tl.constexpr, WIDTH: tl.constexpr, EXPANDED: tl.constexpr, STEPS: tl.constexpr,
    HIDDEN: tl.constexpr,
):  # fmt: skip
    kind = out.dtype.element_ty
    row = tl.program_id(1)
    steps = tl.program_id(0) * STEPS + tl.arange(0, STEPS)
    channels = tl.arange(0, CHANNELS)
    total = tl.zeros((STEPS, CHANNELS), tl.float32) + tl.load(bias + channels)[None, :]
    now = tl.zeros((STEPS, CHANNELS), tl.float32)
    heard = tl.zeros((STEPS, CHANNELS), tl.float32)
    for tap in tl.static_range(WIDTH):
        source = steps - (WIDTH - 1) + tap
        inside = (source >= 0) & (source < time)
        places = (row * time + source)[:, None] * CHANNELS + channels[None, :]
        now = tl.load(x + places, mask=inside[:, None], other=0.0).to(tl.float32)
        inverse = tl.rsqrt(tl.sum(now * now, 1) / CHANNELS + epsilon)
        normed = (now * inverse[:, None]).to(kind).to(tl.float32)
        before = row * past_stride + (source + WIDTH - 1)[:, None] * CHANNELS + channels[None, :]
        earlier = tl.load(past + before, mask=(source < 0)[:, None], other=0.0).to(tl.float32)
        heard = tl.where((source >= 0)[:, None], normed, earlier)
        total += heard * tl.load(kernel + channels * WIDTH + tap)[None, :]
    # After the last tap, `now` is x itself and `heard` is x normalised.
    last = steps - (time - (WIDTH - 1))
    places = (row * (WIDTH - 1) + last)[:, None] * CHANNELS + channels[None, :]
    tl.store(moved + places, heard.to(kind), mask=((last >= 0) & (steps < time))[:, None])
    y = (total.to(kind).to(tl.float32) + now).to(kind)
    wide_y = y.to(tl.float32)
    inverse = tl.rsqrt(tl.sum(wide_y * wide_y, 1) / CHANNELS + epsilon)
    normed_y = (wide_y * inverse[:, None]).to(kind)
    added = tl.zeros((STEPS, CHANNELS), tl.float32) + tl.load(narrow_bias + channels)[None, :].to(tl.float32)
    for first in range(0, EXPANDED, HIDDEN):
        hidden = first + tl.arange(0, HIDDEN)
        into = tl.load(wide + channels[:, None] + hidden[None, :] * CHANNELS)
        inner = tl.dot(normed_y, into) + tl.load(wide_bias + hidden)[None, :].to(tl.float32)
        inner = inner.to(kind).to(tl.float32)
        inner = 0.5 * inner * (1.0 + tl.erf(inner * 0.7071067811865476))
        back = tl.load(narrow + hidden[:, None] + channels[None, :] * EXPANDED)
        added += tl.dot(inner.to(kind), back)
    places = (row * time + steps)[:, None] * CHANNELS + channels[None, :]
    tl.store(out + places, (added + wide_y).to(kind), mask=(steps < time)[:, None])
