"""KV cache of one branch of the language model, with a fixed-capacity row per slot, for CPUs."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F

from pipeline.engines.vibevoice.checkpoint.architecture import LanguageConfig
from pipeline.engines.vibevoice.kernels import attention, runtime


class KvCache:
    """Keys and values of `slots` rows of `capacity` positions; pages are allocated when first written."""

    def __init__(
        self,
        language: LanguageConfig,
        slots: int,
        capacity: int,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self.capacity = capacity
        self.store = torch.empty(
            language.layers,
            slots,
            2,
            language.key_heads,
            capacity,
            language.head_size,
            dtype=dtype,
            device=device,
        )
        self.layers = self.store.unbind(0)

    def write(self, layer: int, slots: torch.Tensor, positions: torch.Tensor, pairs: torch.Tensor) -> None:
        """Write one position of several rows: pairs (rows, 2, key heads, head size)."""
        self.layers[layer][slots, :, :, positions] = pairs

    def put(self, layer: int, slot: int, start: int, pairs: torch.Tensor) -> None:
        """Write several positions of one row: pairs (2, key heads, positions, head size)."""
        self.layers[layer][slot, :, :, start : start + pairs.shape[2]] = pairs

    def view(self, slot: int, length: int) -> tuple[tuple[torch.Tensor, ...], tuple[torch.Tensor, ...]]:
        """Return a row's first keys and values, per layer (1, key heads, length, head size), as views."""
        keys, values = self.store[:, slot : slot + 1, :, :, :length].unbind(2)
        return keys.unbind(0), values.unbind(0)

    def copy_out(self, slot: int, start: int, end: int) -> torch.Tensor:
        """Copy positions of a row, (layers, 2, key heads, end - start, head size), for `copy_in`."""
        return self.store[:, slot, :, :, start:end].clone()

    def copy_in(self, slot: int, start: int, pairs: torch.Tensor) -> None:
        """Write positions that `copy_out` copied into a row."""
        self.store[:, slot, :, :, start : start + pairs.shape[3]] = pairs


class StepAttention:
    """Attention of one decode step. Each row sees only its own positions, so no row depends on another."""

    def __init__(self, cache: KvCache, slots: Sequence[int], positions: Sequence[int]) -> None:
        """
        Args:
            slots: the row of the cache for each row of the batch.
            positions: the position that each row writes; it attends to that one and all before it.
        """
        self.cache = cache
        device = cache.store.device
        self.slots = torch.tensor(slots, device=device)
        self.positions = torch.tensor(positions, device=device)
        self.longest = max(positions)
        self.native = runtime.usable(cache.store.dtype, device) and attention.supports(cache.store.shape[-1])
        ends = [] if self.native else zip(slots, positions, strict=True)
        self.pasts = [cache.view(slot, at + 1) for slot, at in ends]

    def attend(self, layer: int, queries: torch.Tensor, pairs: torch.Tensor) -> torch.Tensor:
        """Write each row's key and value, and attend to its past.

        Args:
            queries: (rows, key heads, queries per key, head size).
            pairs: (rows, 2, key heads, head size).

        Returns:
            (rows, key heads, queries per key, head size).
        """
        if self.native:
            store = self.cache.layers[layer]
            return attention.attend(queries, pairs, store, self.slots, self.positions, self.longest)
        self.cache.write(layer, self.slots, self.positions, pairs)
        return torch.cat(
            [
                F.scaled_dot_product_attention(query, keys[layer], values[layer])
                for query, (keys, values) in zip(torch.split(queries, 1), self.pasts, strict=True)
            ]
        )
