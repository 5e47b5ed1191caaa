"""GEMM with a fused epilogue in bfloat16, for few rows and weights that exceed the caches.

Reading the weights is most of the work. oneDNN reads a tile of them once per six rows and stalls on the next;
here a tile serves twelve rows while the next is prefetched. Two cores of a Zen 4 read weights at 21 GB/s
instead of 16 with 16 rows, and at 24 to 29 instead of 18 to 20 with eight. With hundreds of rows both reach
the CPU's peak (`python -m bench.product`).
"""

import torch

from pipeline.engines.vibevoice.kernels.abi import NO_ACTIVATION, NO_POST_OP, PANEL, ROWS
from pipeline.engines.vibevoice.kernels.runtime import library

BLOCK_ROWS = 252
"""Rows that a thread multiplies with all its panels before the next rows; with 1,536 elements each they fit
its L2 cache.
"""
SET_BYTES = 4096
"""Stride at which rows, like those half as far apart, map to the same few sets of the L1 cache."""
LINE_BYTES = 64


def supports(outer: int, inner: int) -> bool:
    """Return True if the kernel supports a weight (outer, inner): whole panels, and pairs of inputs."""
    return outer % PANEL == 0 and inner % 2 == 0


def pack_weight(weight: torch.Tensor) -> torch.Tensor:
    """Pack a bfloat16 weight (outer, inner) as (outer / 32, inner / 2, 32) pairs, in the order of reading."""
    outer, inner = weight.shape
    pairs = weight.contiguous().view(torch.int32)
    return pairs.view(outer // PANEL, PANEL, inner // 2).transpose(1, 2).contiguous()


def product(
    x: torch.Tensor,
    panels: torch.Tensor,
    bias: torch.Tensor,
    activation: int = NO_ACTIVATION,
    post_op: int = NO_POST_OP,
    other: torch.Tensor | None = None,
) -> torch.Tensor:
    """Compute activation(x W + b), optionally multiplied by or added to another tensor.

    Args:
        x: (rows, inner), bfloat16.
        panels: W as packed by `pack_weight`.
        bias: (outer,), bfloat16.
        activation: NOTHING, SILU or GELU.
        post_op: NO_POST_OP, or MULTIPLY or ADD with `other`.
        other: (rows, outer), bfloat16.

    Returns:
        (rows, outer), bfloat16, rounded once.
    """
    (rows, inner), outer, threads = x.shape, len(bias), torch.get_num_threads()
    y = x.new_empty(rows, outer)
    x, other = _unaliased(x), y if other is None else other.contiguous()
    arguments = (
        panels.data_ptr(), bias.data_ptr(), x.data_ptr(), other.data_ptr(), y.data_ptr(),
        rows, inner // 2, x.stride(0) * x.element_size(), len(panels),
        _block_rows(rows, len(panels), threads), activation, post_op,
    )  # fmt: skip
    library().run("product", arguments, threads)
    return y


def _unaliased(x: torch.Tensor) -> torch.Tensor:
    """Copy x if its rows are not contiguous, or would evict each other from the L1 cache."""
    if x.stride(1) == 1 and (len(x) == 1 or x.stride(0) * x.element_size() % (SET_BYTES // 2)):
        return x
    more = LINE_BYTES // x.element_size() if x.shape[1] * x.element_size() % (SET_BYTES // 2) == 0 else 0
    return x.new_empty(len(x), x.shape[1] + more)[:, : x.shape[1]].copy_(x)


def _block_rows(rows: int, panels: int, threads: int) -> int:
    """Return the rows of a block: up to `BLOCK_ROWS`, fewer if there were too few blocks for the threads."""
    blocks = max(-(-4 * threads // panels), -(-rows // BLOCK_ROWS))
    return max(ROWS, -(-rows // (blocks * ROWS)) * ROWS)
