"""KV cache of rows of different lengths in one store of fixed shape, for accelerators.

Both branches of every slot are rows of one store: first the positive rows, `positions` tokens each, then the
negative rows, `frames + 1` tokens each, then one token where padding is written. Lengths stay on the device,
so that attention can be captured in a CUDA graph.
"""

import torch
import torch.nn.functional as F

from pipeline.engines.vibevoice.checkpoint.architecture import LanguageConfig
from pipeline.engines.vibevoice.runtime import torch_internals


class RaggedKvCache:
    """Keys and values, (layers, tokens, 2, key heads, head size)."""

    def __init__(
        self,
        language: LanguageConfig,
        slots: int,
        positions: int,
        frames: int,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        """
        Args:
            positions: most tokens of a slot's positive branch.
            frames: most tokens of a slot's negative branch, less 1.
        """
        self.slots, self.positions, self.negatives = slots, positions, frames + 1
        tokens = slots * (self.positions + self.negatives)
        self.padding = tokens
        # Finite from the start: masked attention multiplies the tokens past a row's end by zero.
        self.store = torch.zeros(
            language.layers, tokens + 1, 2, language.key_heads, language.head_size, dtype=dtype, device=device
        )
        first = torch.cat(
            [
                torch.arange(slots, device=device) * self.positions,
                slots * self.positions + torch.arange(slots + 1, device=device) * self.negatives,
            ]
        )
        self.first = first[:-1]
        """(2 * slots,): first token of each row."""
        self.bounds = first.int()
        self.each = torch.arange(2 * slots + 1, dtype=torch.int32, device=device)
        self.masked = not ragged(dtype, device)

    def write(self, layer: int, index: torch.Tensor, pairs: torch.Tensor) -> None:
        """Write pairs (rows, 2, key heads, head size) at tokens index (rows,)."""
        self.store[layer].index_copy_(0, index, pairs)

    def attend(
        self, layer: int, queries: torch.Tensor, lengths: torch.Tensor, *, own_kernels: bool = False
    ) -> torch.Tensor:
        """Attend from one position of every row to its past.

        Args:
            queries: (2 * slots, heads, head size).
            lengths: (2 * slots,) int32, tokens that each row sees.
            own_kernels: use our own Triton kernels where they support the shape.

        Returns:
            (2 * slots, heads, head size).
        """
        if self.masked:
            return self._attend_masked(layer, queries, lengths)
        if own_kernels:
            from pipeline.engines.vibevoice.kernels import triton_attention

            if triton_attention.supports(queries, self.store.shape[3]):
                store = self.store[layer]
                return triton_attention.attend(queries, store, self.first, lengths, self.positions)
        keys, values = self.store[layer].unbind(1)
        return flash(queries, keys, values, self.each, self.bounds, (1, self.positions), lengths)

    def attend_prompt(
        self,
        layer: int,
        queries: torch.Tensor,
        slot: torch.Tensor,
        start: torch.Tensor,
        count: torch.Tensor,
    ) -> torch.Tensor:
        """Attend causally from the positions of a prompt's piece to those before it and its own.

        Args:
            queries: (bucket, heads, head size), of which the first `count` are real.
            slot, start, count: (1,) int64: the piece's slot, first position and number of positions.

        Returns:
            (bucket, heads, head size); zero past `count`.
        """
        real = torch.arange(len(queries), device=queries.device) < count
        if self.masked:
            seen = self._prompt_masked(layer, queries, slot, start)
        else:
            keys, values = self.store[layer].unbind(1)
            first = slot * self.positions
            bounds = torch.cat([first, first + self.positions]).int()
            ends = torch.cat([torch.zeros_like(count), count]).int()
            sizes = len(queries), self.positions
            length = (start + count).int()
            seen = flash(queries, keys, values, ends, bounds, sizes, length, causal=True)
        return torch.where(real[:, None, None], seen, torch.zeros_like(seen))

    def copy_out(self, slot: int, start: int, end: int) -> torch.Tensor:
        """Copy tokens of a positive row, (layers, end - start, 2, key heads, head size), for `copy_in`."""
        first = slot * self.positions
        return self.store[:, first + start : first + end].clone()

    def copy_in(self, slot: int, start: int, pairs: torch.Tensor, *, negative: bool = False) -> None:
        """Write tokens that `copy_out` copied into a row."""
        first = self.slots * self.positions + slot * self.negatives if negative else slot * self.positions
        self.store[:, first + start : first + start + pairs.shape[1]] = pairs

    def clear(self, slot: int) -> None:
        """Zero a slot where attention is masked: a non-finite value would spread through the mask."""
        if self.masked:
            first = self.slots * self.positions + slot * self.negatives
            self.store[:, slot * self.positions : (slot + 1) * self.positions] = 0
            self.store[:, first : first + self.negatives] = 0

    def _attend_masked(self, layer: int, queries: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        whole = self.store[layer]
        middle = self.slots * self.positions
        positive = whole[:middle].view(self.slots, self.positions, *whole.shape[1:])
        negative = whole[middle : self.padding].view(self.slots, self.negatives, *whole.shape[1:])
        halves = zip((positive, negative), queries.chunk(2), lengths.chunk(2), strict=True)
        return torch.cat([_masked(query[:, None], pairs, length) for pairs, query, length in halves])[:, 0]

    def _prompt_masked(
        self, layer: int, queries: torch.Tensor, slot: torch.Tensor, start: torch.Tensor
    ) -> torch.Tensor:
        row = slot * self.positions + torch.arange(self.positions, device=slot.device)
        pairs = self.store[layer].index_select(0, row)
        ends = start + 1 + torch.arange(len(queries), device=slot.device)
        return _masked(queries[None], pairs[None], ends)[0]


def ragged(dtype: torch.dtype, device: torch.device) -> bool:
    """Return True if flash attention supports ragged rows there (compute capability 8.0 and up)."""
    half = dtype in (torch.float16, torch.bfloat16)
    return half and device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 0)


def flash(
    queries: torch.Tensor,
    keys: torch.Tensor,
    values: torch.Tensor,
    query_bounds: torch.Tensor,
    bounds: torch.Tensor,
    sizes: tuple[int, int],
    lengths: torch.Tensor,
    *,
    causal: bool = False,
) -> torch.Tensor:
    """Compute FlashAttention-2 (arXiv:2307.08691) over rows of one store with torch's kernel.

    Args:
        queries: (queries, heads, head size).
        keys, values: (tokens, key heads, head size), strided as in the store.
        query_bounds: (rows + 1,) int32, first query of each row and the end.
        bounds: (rows + 1,) int32, first token of each row and the end.
        sizes: most queries and most tokens of a row.
        lengths: (rows,) int32, tokens of each row.
        causal: the last query sees all of its row, the one before it one token less.

    Returns:
        (queries, heads, head size). Rows whose queries are outside `query_bounds` are not written.
    """
    return torch_internals.flash_attention(
        queries, keys, values, query_bounds, bounds, sizes, lengths, causal=causal
    )


def _masked(queries: torch.Tensor, pairs: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Attend from queries (rows, count, heads, size) to pairs (rows, tokens, 2, key heads, size), masked.

    Args:
        lengths: tokens that each row sees, or each query where there is one row.
    """
    seen = torch.arange(pairs.shape[1], device=pairs.device) < lengths[:, None]
    mask = seen[:, None, None] if queries.shape[1] == 1 else seen[None, None]
    keys, values = pairs.transpose(1, 3).unbind(2)
    found = F.scaled_dot_product_attention(
        queries.transpose(1, 2), keys, values, attn_mask=mask, enable_gqa=True
    )
    return found.transpose(1, 2)
