"""The language model (Qwen2, arXiv:2407.10671): one position of many rows, or many positions of a few.

Equal to transformers' `Qwen2Model`, on weights joined where one product can do the work of several.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from pipeline.engines.vibevoice.checkpoint.architecture import Language
from pipeline.engines.vibevoice.checkpoint.weights import Weights, wide
from pipeline.engines.vibevoice.layers import rms_norm
from pipeline.engines.vibevoice.layers.linear import LinearFactory, SwiGlu, make_linear
from pipeline.engines.vibevoice.model.kv_cache import Cache, Reader

ROOT = "model.language_model."

ROUND, ROUND_LONG, LONG = 16, 64, 256
"""Prompts are read as if they had a multiple of so many positions (of the second where they are long): for
every shape that a product ever had, oneDNN keeps a kernel (a worker grew by a third in two hours).
"""

Attend = Callable[[int, torch.Tensor], torch.Tensor]
"""(layer, joined (rows, heads + 2 * key heads, head size)) to (rows, hidden)."""


class Layer:
    """Attention and perceptron, each added to what comes in."""

    def __init__(self, weights: Weights, at: str, linear: LinearFactory) -> None:
        attention, inner = f"{at}self_attn.", f"{at}mlp."
        self.joined = linear(
            weights.joined(*(f"{attention}{part}_proj.weight" for part in "qkv")),
            weights.joined(*(f"{attention}{part}_proj.bias" for part in "qkv")),
        )
        self.out = linear(weights(f"{attention}o_proj.weight"))
        self.gated = SwiGlu(weights, f"{inner}gate_proj.weight", f"{inner}up_proj.weight", linear)
        self.down = linear(weights(f"{inner}down_proj.weight"))
        self.norm = weights(f"{at}input_layernorm.weight")
        self.inner_norm = weights(f"{at}post_attention_layernorm.weight")


class Rotary:
    """Rotary positions (arXiv:2104.09864) for the heads of queries, keys and, left as they are, values."""

    def __init__(self, language: Language, positions: int, dtype: torch.dtype, device: torch.device) -> None:
        self.heads, self.key_heads, half = language.heads, language.key_heads, language.head_size // 2
        places = torch.arange(0, 2 * half, 2, dtype=torch.float32) / (2 * half)
        speeds = (1.0 / language.rope_theta**places).to(wide(dtype))
        angles = torch.arange(positions, dtype=wide(dtype))[:, None] * speeds
        self.half = half
        # Computed on the CPU: devices round powers and sines differently.
        self.cosines = torch.cat([angles.cos(), angles.cos()], -1).to(device, dtype)
        self.sines = torch.cat([-angles.sin(), angles.sin()], -1).to(device, dtype)

    def angles(self, positions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Cosines and signed sines, each (rows, heads + 2 * key heads, head size)."""
        turned = self.heads + self.key_heads
        cosines = self.cosines[positions][:, None].expand(-1, turned, -1)
        sines = self.sines[positions][:, None].expand(-1, turned, -1)
        still = cosines[:, : self.key_heads]
        return torch.cat([cosines, torch.ones_like(still)], 1), torch.cat([sines, torch.zeros_like(still)], 1)

    def turn(self, joined: torch.Tensor, angles: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        """joined (rows, heads + 2 * key heads, head size), turned by `angles`."""
        cosines, sines = angles
        return torch.addcmul(joined * cosines, joined.roll(self.half, -1), sines)


@dataclass(frozen=True, slots=True)
class Piece:
    """Positions of one row that follow each other."""

    slot: int
    start: int
    x: torch.Tensor
    """(positions, hidden)."""

    @property
    def end(self) -> int:
        return self.start + len(self.x)


class Look:
    """What the positions of a piece see: all before them, and themselves."""

    def __init__(self, cache: Cache, piece: Piece) -> None:
        self.cache, self.piece, self.past = cache, piece, cache.view(piece.slot, piece.end)
        count, start, device = len(piece.x), piece.start, cache.store.device
        self.mask = (
            torch.ones(count, piece.end, dtype=torch.bool, device=device).tril(start) if start else None
        )

    def attend(self, layer: int, turned: torch.Tensor, heads: int) -> torch.Tensor:
        """Keep the keys and values, and look: turned (positions, heads + 2 * key heads, head size) to
        (positions, hidden).
        """
        count, by_head = len(turned), turned.transpose(0, 1)
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
    """The decoder without its embedding table and without its head."""

    def __init__(
        self, weights: Weights, language: Language, positions: int, linear: LinearFactory = make_linear
    ) -> None:
        """
        Args:
            positions: the longest past that will be asked for.
            linear: how its products are computed.
        """
        self.language = language
        self.rotary = Rotary(language, positions, weights.dtype, weights.device)
        self.layers = [Layer(weights, f"{ROOT}layers.{n}.", linear) for n in range(language.layers)]
        self.norm = weights(f"{ROOT}norm.weight")

    def step(self, x: torch.Tensor, readers: Sequence[Reader]) -> torch.Tensor:
        """One position of every row of every reader, in their order: x (rows, hidden) to (rows, hidden)."""
        angles = self.rotary.angles(torch.cat([reader.positions for reader in readers]))
        sizes = [len(reader.positions) for reader in readers]

        def attend(layer: int, joined: torch.Tensor) -> torch.Tensor:
            parts = self._split(self.rotary.turn(joined, angles))
            of_readers = zip(readers, *(torch.split(part, sizes) for part in parts), strict=True)
            seen = [reader.attend(layer, query, pair) for reader, query, pair in of_readers]
            return torch.cat(seen).view(len(joined), -1)

        return self._through(x, attend)

    def prefill(self, pieces: Sequence[Piece], cache: Cache) -> list[torch.Tensor]:
        """Read parts of several rows at once; returns the state after the last position of each, (hidden,).

        The cache must hold each row's positions before its piece; it then holds the piece's too. Products
        are computed of all positions together, and of a few more (`ROUND`).
        """
        device = cache.store.device
        x = torch.cat([piece.x for piece in pieces])
        more = -len(x) % (ROUND if len(x) <= LONG else ROUND_LONG)
        angles = self.rotary.angles(
            torch.cat([torch.arange(piece.start, piece.end, device=device) for piece in pieces])
        )
        looks = [Look(cache, piece) for piece in pieces]
        sizes = [len(piece.x) for piece in pieces]

        def attend(layer: int, joined: torch.Tensor) -> torch.Tensor:
            turned = torch.split(self.rotary.turn(joined[: len(x)], angles), sizes)
            seen = [
                look.attend(layer, part, self.language.heads)
                for look, part in zip(looks, turned, strict=True)
            ]
            return F.pad(torch.cat(seen), (0, 0, 0, more))

        lasts = torch.tensor(sizes, device=device).cumsum(0) - 1
        return list(self._through(F.pad(x, (0, 0, 0, more)), attend, lasts))

    def _split(self, joined: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Queries (rows, key heads, queries per key, head size) and pairs (rows, 2, key heads, head size)."""
        heads, keys, size = self.language.heads, self.language.key_heads, self.language.head_size
        rows = len(joined)
        queries, pairs = joined[:, :heads], joined[:, heads:]
        return queries.view(rows, keys, heads // keys, size), pairs.view(rows, 2, keys, size)

    def _through(self, x: torch.Tensor, attend: Attend, wanted: torch.Tensor | None = None) -> torch.Tensor:
        """`wanted`: the rows whose states are asked for; the last layer computes no others."""
        for index, layer in enumerate(self.layers):
            seen = attend(index, self.project(layer, x))
            if wanted is not None and layer is self.layers[-1]:
                seen, x = seen[wanted], x[wanted]
            x = self.finish(layer, seen, x)
        return self.end(x)

    def project(self, layer: Layer, x: torch.Tensor) -> torch.Tensor:
        """Queries, keys and values of x (rows, hidden): (rows, heads + 2 * key heads, head size)."""
        joined = layer.joined(rms_norm.weighted(x, layer.norm, self.language.epsilon))
        return joined.view(len(x), -1, self.language.head_size)

    def finish(self, layer: Layer, seen: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """The rest of a layer after its attention: seen and x (rows, hidden) to (rows, hidden)."""
        x = layer.out.plus(seen, x)
        y = rms_norm.weighted(x, layer.inner_norm, self.language.epsilon)
        return layer.down.plus(layer.gated(y), x)

    def end(self, x: torch.Tensor) -> torch.Tensor:
        """The states after the last layer: x (rows, hidden) to (rows, hidden)."""
        return rms_norm.weighted(x, self.norm, self.language.epsilon)
