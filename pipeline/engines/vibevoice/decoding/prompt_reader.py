"""Chunked prefill on an accelerator, in buckets of fixed shape."""

import torch

from pipeline.engines.vibevoice.decoding.cuda_graphs import Capture, Captured
from pipeline.engines.vibevoice.model.language_model import LanguageModel
from pipeline.engines.vibevoice.model.ragged_kv_cache import RaggedKvCache

BUCKETS = (32, 64, 128, 256, 512)
"""Positions of a pass. A piece is padded to the next bucket; a longer one is split into chunks."""


class PromptReader:
    """Runs prefill passes of one language model into one KV cache."""

    def __init__(self, language: LanguageModel, cache: RaggedKvCache, capture: Capture) -> None:
        self.language, self.cache = language, cache
        store = cache.store
        hidden = language.config.hidden
        self.x = torch.zeros(BUCKETS[-1], hidden, dtype=store.dtype, device=store.device)
        self.place = torch.zeros(3, dtype=torch.int64, device=store.device)
        """Slot, first position and number of positions of the piece."""
        self.state = torch.zeros(hidden, dtype=store.dtype, device=store.device)
        """(hidden,): the hidden state after the piece."""
        self.captured = Captured(capture, len(BUCKETS))

    def __call__(self, slot: int, start: int, piece: torch.Tensor) -> None:
        """Prefill a piece (positions, hidden), at most the largest bucket, and set `state`.

        The cache must hold the row's positions before `start`; the piece's own are added.
        """
        count = len(piece)
        bucket = next(size for size in BUCKETS if size >= count)
        self.x[:count].copy_(pinned(piece, self.x), non_blocking=True)
        self.place.copy_(pinned(torch.tensor([slot, start, count]), self.x), non_blocking=True)
        self.captured(bucket, lambda: self.read(bucket))

    def read(self, bucket: int) -> None:
        """Run the pass over `x` and `place`: the part that is captured."""
        slot, start, count = torch.split(self.place, 1)
        offsets = torch.arange(bucket, device=self.place.device)
        real = offsets < count
        positions = torch.where(real, start + offsets, 0)
        tokens = torch.where(real, slot * self.cache.positions + positions, self.cache.padding)
        x = torch.where(real[:, None], self.x[:bucket], 0)
        angles, heads = self.language.rotary.angles(positions), self.language.config.heads
        for number, layer in enumerate(self.language.layers):
            qkv = self.language.rotary.rotate(self.language.project_qkv(layer, x), angles)
            self.cache.write(number, tokens, torch.unflatten(qkv[:, heads:], 1, (2, -1)))
            seen = self.cache.attend_prompt(number, qkv[:, :heads].contiguous(), slot, start, count)
            if layer is self.language.layers[-1]:
                seen, x = seen.index_select(0, count - 1), x.index_select(0, count - 1)
            x = self.language.finish_layer(layer, seen.flatten(1), x)
        self.state.copy_(self.language.final_norm(x)[0])


def pinned(source: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Convert a tensor to the type of `like`, in pinned memory if that is on a GPU."""
    made = source if source.dtype == torch.int64 else source.to(like.dtype)
    return made.pin_memory() if like.is_cuda else made
