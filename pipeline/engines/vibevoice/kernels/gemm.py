"""activation(x W + b) in bfloat16, for few rows and weights that no cache holds.

Reading the weights is most of the work. oneDNN goes over a part of them once for every six rows and waits for
the next part when it gets there; here twelve rows are taken at once, while what comes next is on its way. Two
cores of a Zen 4 read weights at 21 GB/s in place of 16 with 16 rows, at 24 to 29 in place of 18 to 20 with
eight; with hundreds of rows both are at the processor's peak (`python -m bench.product`).
"""

import torch

from pipeline.engines.vibevoice.kernels.abi import ALONE, NOTHING, PANEL, ROWS
from pipeline.engines.vibevoice.kernels.runtime import library

BLOCK_ROWS = 252
"""Rows that a thread multiplies with all its panels before the next rows: 1,536 numbers of each stay in its
cache.
"""
SET_BYTES = 4096
"""Rows so far apart, or half of it, fall on the same few places of a processor's first cache."""
LINE_BYTES = 64


def takes(outer: int, inner: int) -> bool:
    """Whether a weight (outer, inner) lies in whole panels."""
    return outer % PANEL == 0 and inner % 2 == 0


def packed(weight: torch.Tensor) -> torch.Tensor:
    """(outer, inner) in bfloat16 to (outer / 32, inner / 2, 32) pairs, in the order of reading."""
    outer, inner = weight.shape
    pairs = weight.contiguous().view(torch.int32)
    return pairs.view(outer // PANEL, PANEL, inner // 2).transpose(1, 2).contiguous()


def product(
    x: torch.Tensor,
    panels: torch.Tensor,
    bias: torch.Tensor,
    activation: int = NOTHING,
    joining: int = ALONE,
    other: torch.Tensor | None = None,
) -> torch.Tensor:
    """activation(x W + b), alone, or times or plus another.

    Args:
        x: (rows, inner), bfloat16.
        panels: W as `packed` gives it.
        bias: (outer,), bfloat16.
        activation: NOTHING, SILU or GELU.
        joining: ALONE, or TIMES or PLUS `other`, (rows, outer), bfloat16.

    Returns:
        (rows, outer), bfloat16, rounded once.
    """
    (rows, inner), outer, threads = x.shape, len(bias), torch.get_num_threads()
    y = x.new_empty(rows, outer)
    x, other = _apart(x), y if other is None else other.contiguous()
    told = (
        panels.data_ptr(), bias.data_ptr(), x.data_ptr(), other.data_ptr(), y.data_ptr(),
        rows, inner // 2, x.stride(0) * x.element_size(), len(panels),
        _block_rows(rows, len(panels), threads), activation, joining,
    )  # fmt: skip
    library().run("product", told, threads)
    return y


def _apart(x: torch.Tensor) -> torch.Tensor:
    """Each row's numbers together, and rows that don't drive each other out of the cache."""
    if x.stride(1) == 1 and (len(x) == 1 or x.stride(0) * x.element_size() % (SET_BYTES // 2)):
        return x
    more = LINE_BYTES // x.element_size() if x.shape[1] * x.element_size() % (SET_BYTES // 2) == 0 else 0
    return x.new_empty(len(x), x.shape[1] + more)[:, : x.shape[1]].copy_(x)


def _block_rows(rows: int, panels: int, threads: int) -> int:
    """Up to `BLOCK_ROWS`; fewer where there would be too few parts for the threads."""
    blocks = max(-(-4 * threads // panels), -(-rows // BLOCK_ROWS))
    return max(ROWS, -(-rows // (blocks * ROWS)) * ROWS)
