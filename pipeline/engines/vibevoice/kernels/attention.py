"""Decode attention in bfloat16: one position of several rows attends to its past, in one kernel.

torch's kernel must be called once per row, since lengths differ, and parallelises poorly.
"""

from collections.abc import Sequence

import torch

from pipeline.engines.vibevoice.kernels.abi import SCORES
from pipeline.engines.vibevoice.kernels.runtime import float_bits, library

VECTOR = 32
"""Elements of a register."""


def supports(head_size: int) -> bool:
    """Return True if the kernel supports heads of that size."""
    return head_size % VECTOR == 0


def attend(
    queries: torch.Tensor,
    pairs: torch.Tensor,
    cache: torch.Tensor,
    slots: torch.Tensor,
    positions: torch.Tensor,
    longest: int,
) -> torch.Tensor:
    """Write each row's key and value at its position, and attend to that and all before it.

    Args:
        queries: (rows, key heads, queries per key, head size), bfloat16.
        pairs: (rows, 2, key heads, head size), keys and values.
        cache: (slots, 2, key heads, capacity, head size), the KV cache of a layer, updated in place.
        slots: (rows,) int64, each row's slot in the cache.
        positions: (rows,) int64.
        longest: the largest of the positions.

    Returns:
        (rows, key heads, queries per key, head size), contiguous.
    """
    rows, key_heads, group, size = queries.shape
    threads, item_bytes = torch.get_num_threads(), cache.element_size()
    scores = torch.empty(threads, group, -(-(longest + 1) // SCORES) * SCORES)
    y = torch.empty(queries.shape, dtype=cache.dtype)
    queries, pairs = _contiguous_rows(queries), _contiguous_rows(pairs)
    slot_bytes, value_bytes, head_bytes = (stride * item_bytes for stride in cache.stride()[:3])
    arguments: Sequence[int] = (
        queries.data_ptr(), pairs.data_ptr(), cache.data_ptr(), slots.data_ptr(), positions.data_ptr(),
        scores.data_ptr(), y.data_ptr(), rows, key_heads,
        queries.stride(0) * item_bytes, pairs.stride(0) * item_bytes, slot_bytes, value_bytes, head_bytes,
        scores.shape[2] * scores.element_size(), float_bits(size**-0.5),
    )  # fmt: skip
    library().run("attention", arguments, threads, group=group, size=size)
    return y


def _contiguous_rows(rows: torch.Tensor) -> torch.Tensor:
    """Copy the tensor unless each row is contiguous; rows may be strided."""
    return rows if rows[0].is_contiguous() else rows.contiguous()
