"""The language model (Qwen2, arXiv:2407.10671): decode steps of many rows, and batched prefill.

Equal to transformers' `Qwen2Model`, with the query, key and value projections concatenated.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from pipeline.engines.vibevoice.checkpoint.architecture import LanguageConfig
from pipeline.engines.vibevoice.checkpoint.weights import Weights, at_least_float32
from pipeline.engines.vibevoice.layers import rms_norm
from pipeline.engines.vibevoice.layers.linear import LinearFactory, SwiGlu, make_linear
from pipeline.engines.vibevoice.model.kv_cache import KvCache, StepAttention

ROOT = "model.language_model."

ROUND, ROUND_LONG, LONG = 16, 64, 256
"""Prefill is padded to a multiple of `ROUND` positions, of `ROUND_LONG` if there are more than `LONG`.

oneDNN caches a kernel for every shape (without padding, a worker grew by a third in two hours).
"""

Attend = Callable[[int, torch.Tensor], torch.Tensor]
"""Attention of a layer: (layer, qkv (rows, heads + 2 * key heads, head size)) to (rows, hidden)."""


class DecoderLayer:
    """Weights of a decoder layer: attention and SwiGLU MLP, each with a residual connection."""

    def __init__(self, weights: Weights, at: str, linear: LinearFactory) -> None:
        attention, inner = f"{at}self_attn.", f"{at}mlp."
        self.qkv = linear(
            weights.concatenated(*(f"{attention}{part}_proj.weight" for part in "qkv")),
            weights.concatenated(*(f"{attention}{part}_proj.bias" for part in "qkv")),
        )
        self.out = linear(weights(f"{attention}o_proj.weight"))
        self.gated = SwiGlu(weights, f"{inner}gate_proj.weight", f"{inner}up_proj.weight", linear)
        self.down = linear(weights(f"{inner}down_proj.weight"))
        self.norm = weights(f"{at}input_layernorm.weight")
        self.inner_norm = weights(f"{at}post_attention_layernorm.weight")


class RotaryEmbedding:
    """Rotary position embedding (arXiv:2104.09864) of concatenated queries, keys and (unchanged) values."""

    def __init__(
        self, language: LanguageConfig, positions: int, dtype: torch.dtype, device: torch.device
    ) -> None:
        self.heads, self.key_heads, half = language.heads, language.key_heads, language.head_size // 2
        places = torch.arange(0, 2 * half, 2, dtype=torch.float32) / (2 * half)
        speeds = (1.0 / language.rope_theta**places).to(at_least_float32(dtype))
        angles = torch.arange(positions, dtype=at_least_float32(dtype))[:, None] * speeds
        self.half = half
        # Computed on the CPU: devices round powers and sines differently.
        self.cosines = torch.cat([angles.cos(), angles.cos()], -1).to(device, dtype)
        self.sines = torch.cat([-angles.sin(), angles.sin()], -1).to(device, dtype)

    def angles(self, positions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Look up cosines and signed sines for positions (rows,).

        Returns:
            Each (rows, heads + 2 * key heads, head size).
        """
        rotated = self.heads + self.key_heads
        cosines = self.cosines[positions][:, None].expand(-1, rotated, -1)
        sines = self.sines[positions][:, None].expand(-1, rotated, -1)
        still = cosines[:, : self.key_heads]
        return torch.cat([cosines, torch.ones_like(still)], 1), torch.cat([sines, torch.zeros_like(still)], 1)

    def rotate(self, qkv: torch.Tensor, angles: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        """Rotate qkv (rows, heads + 2 * key heads, head size) by `angles`."""
        cosines, sines = angles
        return torch.addcmul(qkv * cosines, qkv.roll(self.half, -1), sines)


@dataclass(frozen=True, slots=True)
class PromptPiece:
    """Consecutive positions of one row's prompt."""

    slot: int
    start: int
    x: torch.Tensor
    """(positions, hidden)."""

    @property
    def end(self) -> int:
        return self.start + len(self.x)


class PrefillAttention:
    """Causal attention of a prompt's piece to the positions before it and its own."""

    def __init__(self, cache: KvCache, piece: PromptPiece) -> None:
        self.cache, self.piece, self.past = cache, piece, cache.view(piece.slot, piece.end)
        count, start, device = len(piece.x), piece.start, cache.store.device
        self.mask = (
            torch.ones(count, piece.end, dtype=torch.bool, device=device).tril(start) if start else None
        )

    def attend(self, layer: int, rotated: torch.Tensor, heads: int) -> torch.Tensor:
        """Store the keys and values, and attend: rotated (positions, heads + 2 * key heads, head size) to
        (positions, hidden).
        """
        count, by_head = len(rotated), rotated.transpose(0, 1)
        keys = (len(by_head) - heads) // 2
        pairs = by_head[heads:].view(2, keys, count, -1)
        self.cache.put(layer, self.piece.slot, self.piece.start, pairs)
        seen = F.scaled_dot_product_attention(
            by_head[None, :heads],
            self.past[0][layer],
            self.past[1][layer],
            attn_mask=self.mask,
            is_causal=self.mask is None,
            enable_gqa=True,
        )
        return seen[0].transpose(0, 1).reshape(count, -1)


class LanguageModel:
    """The decoder stack, without the embedding table and the LM head."""

    def __init__(
        self, weights: Weights, language: LanguageConfig, positions: int, linear: LinearFactory = make_linear
    ) -> None:
        """
        Args:
            positions: most positions of a row.
            linear: makes its linear layers.
        """
        self.config = language
        self.rotary = RotaryEmbedding(language, positions, weights.dtype, weights.device)
        self.layers = [DecoderLayer(weights, f"{ROOT}layers.{n}.", linear) for n in range(language.layers)]
        self.norm = weights(f"{ROOT}norm.weight")

    def step(self, x: torch.Tensor, readers: Sequence[StepAttention]) -> torch.Tensor:
        """Compute one position of every row of every reader, in their order.

        Args:
            x: (rows, hidden), embeddings of the rows of all readers.

        Returns:
            (rows, hidden), hidden states after the final norm.
        """
        angles = self.rotary.angles(torch.cat([reader.positions for reader in readers]))
        sizes = [len(reader.positions) for reader in readers]

        def attend(layer: int, qkv: torch.Tensor) -> torch.Tensor:
            parts = self._split(self.rotary.rotate(qkv, angles))
            of_readers = zip(readers, *(torch.split(part, sizes) for part in parts), strict=True)
            seen = [reader.attend(layer, query, pair) for reader, query, pair in of_readers]
            return torch.cat(seen).view(len(qkv), -1)

        return self._through(x, attend)

    def prefill(self, pieces: Sequence[PromptPiece], cache: KvCache) -> list[torch.Tensor]:
        """Prefill pieces of several prompts in one pass.

        The cache must hold each row's positions before its piece; the piece's own are added. Linear layers
        run over all positions together, padded to `ROUND`.

        Returns:
            The hidden state (hidden,) after the last position of each piece.
        """
        device = cache.store.device
        x = torch.cat([piece.x for piece in pieces])
        more = -len(x) % (ROUND if len(x) <= LONG else ROUND_LONG)
        angles = self.rotary.angles(
            torch.cat([torch.arange(piece.start, piece.end, device=device) for piece in pieces])
        )
        checks = [PrefillAttention(cache, piece) for piece in pieces]
        sizes = [len(piece.x) for piece in pieces]

        def attend(layer: int, qkv: torch.Tensor) -> torch.Tensor:
            rotated = torch.split(self.rotary.rotate(qkv[: len(x)], angles), sizes)
            seen = [
                attention.attend(layer, part, self.config.heads)
                for attention, part in zip(checks, rotated, strict=True)
            ]
            return F.pad(torch.cat(seen), (0, 0, 0, more))

        lasts = torch.tensor(sizes, device=device).cumsum(0) - 1
        return list(self._through(F.pad(x, (0, 0, 0, more)), attend, lasts))

    def _split(self, qkv: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Split qkv into queries (rows, key heads, queries per key, head size) and key-value pairs
        (rows, 2, key heads, head size).
        """
        heads, keys, size = self.config.heads, self.config.key_heads, self.config.head_size
        rows = len(qkv)
        queries, pairs = qkv[:, :heads], qkv[:, heads:]
        return queries.view(rows, keys, heads // keys, size), pairs.view(rows, 2, keys, size)

    def _through(self, x: torch.Tensor, attend: Attend, wanted: torch.Tensor | None = None) -> torch.Tensor:
        """Run all layers over x (rows, hidden).

        Args:
            wanted: indices of the rows whose states are needed; the last layer's MLP computes no others.
        """
        for index, layer in enumerate(self.layers):
            seen = attend(index, self.project_qkv(layer, x))
            if wanted is not None and layer is self.layers[-1]:
                seen, x = seen[wanted], x[wanted]
            x = self.finish_layer(layer, seen, x)
        return self.final_norm(x)

    def project_qkv(self, layer: DecoderLayer, x: torch.Tensor) -> torch.Tensor:
        """Project x (rows, hidden) to queries, keys and values: (rows, heads + 2 * key heads, head size)."""
        qkv = layer.qkv(rms_norm.weighted(x, layer.norm, self.config.epsilon))
        return qkv.view(len(x), -1, self.config.head_size)

    def finish_layer(self, layer: DecoderLayer, seen: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """Compute the rest of a layer from its attention and its input, both (rows, hidden).

        Returns:
            (rows, hidden).
        """
        x = layer.out.plus(seen, x)
        y = rms_norm.weighted(x, layer.inner_norm, self.config.epsilon)
        return layer.down.plus(layer.gated(y), x)

    def final_norm(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the final norm: x (rows, hidden) to (rows, hidden)."""
        return rms_norm.weighted(x, self.norm, self.config.epsilon)
