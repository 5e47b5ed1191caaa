"""One position of several rows looks at its past, in bfloat16: all rows in one go.

torch's own is asked once for every row, since each has its own length, and shares little between threads.
"""

from collections.abc import Sequence

import torch

from pipeline.engines.vibevoice.kernels.abi import SCORES
from pipeline.engines.vibevoice.kernels.runtime import bits, library

VECTOR = 32
"""Numbers at once."""


def takes(head_size: int) -> bool:
    return head_size % VECTOR == 0


def attend(
    queries: torch.Tensor,
    pairs: torch.Tensor,
    cache: torch.Tensor,
    slots: torch.Tensor,
    positions: torch.Tensor,
    longest: int,
) -> torch.Tensor:
    """Write each row's key and value at its position, and let its queries look at that and all before it.

    Args:
        queries: (rows, key heads, queries of each, head size).
        pairs: (rows, 2, key heads, head size).
        cache: (slots, 2, key heads, capacity, head size), written to.
        slots: (rows,), where each row's past lies; int64.
        positions: (rows,), int64.
        longest: the largest of the positions.

    Returns:
        As queries, contiguous.
    """
    rows, key_heads, group, size = queries.shape
    threads, item_bytes = torch.get_num_threads(), cache.element_size()
    scores = torch.empty(threads, group, -(-(longest + 1) // SCORES) * SCORES)
    y = torch.empty(queries.shape, dtype=cache.dtype)
    queries, pairs = _together(queries), _together(pairs)
    slot_bytes, value_bytes, head_bytes = (stride * item_bytes for stride in cache.stride()[:3])
    told: Sequence[int] = (
        queries.data_ptr(), pairs.data_ptr(), cache.data_ptr(), slots.data_ptr(), positions.data_ptr(),
        scores.data_ptr(), y.data_ptr(), rows, key_heads,
        queries.stride(0) * item_bytes, pairs.stride(0) * item_bytes, slot_bytes, value_bytes, head_bytes,
        scores.shape[2] * scores.element_size(), bits(size**-0.5),
    )  # fmt: skip
    library().run("attention", told, threads, group=group, size=size)
    return y


def _together(rows: torch.Tensor) -> torch.Tensor:
    """Each row's numbers in their order; rows may lie apart."""
    return rows if rows[0].is_contiguous() else rows.contiguous()
