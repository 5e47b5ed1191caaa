"""Prefill on an accelerator: a piece of a prompt at a time, in buckets whose shapes never change."""

import torch

from pipeline.engines.vibevoice.decoding.cuda_graphs import Capture, Captured
from pipeline.engines.vibevoice.model.language_model import LanguageModel
from pipeline.engines.vibevoice.model.ragged_kv_cache import RaggedCache

BUCKETS = (32, 64, 128, 256, 512)
"""Positions of a pass; a piece is padded to the next, and a longer one is read in chunks of the last."""


class PromptReader:
    """Reads prompts with one language model into one cache."""

    def __init__(self, language: LanguageModel, cache: RaggedCache, capture: Capture) -> None:
        self.language, self.cache = language, cache
        store = cache.store
        hidden = language.language.hidden
        self.x = torch.zeros(BUCKETS[-1], hidden, dtype=store.dtype, device=store.device)
        self.place = torch.zeros(3, dtype=torch.int64, device=store.device)
        """Slot, first position and number of positions of the piece."""
        self.state = torch.zeros(hidden, dtype=store.dtype, device=store.device)
        """(hidden,): the language model's state after the piece."""
        self.captured = Captured(capture, len(BUCKETS))

    def __call__(self, slot: int, start: int, piece: torch.Tensor) -> None:
        """Read a piece (positions, hidden), at most the largest bucket; `state` is then that after it.

        The cache must hold the row's positions before `start`; it then holds the piece's too.
        """
        count = len(piece)
        bucket = next(size for size in BUCKETS if size >= count)
        self.x[:count].copy_(pinned(piece, self.x), non_blocking=True)
        self.place.copy_(pinned(torch.tensor([slot, start, count]), self.x), non_blocking=True)
        self.captured(bucket, lambda: self.read(bucket))

    def read(self, bucket: int) -> None:
        """The pass itself, on `x` and `place`."""
        slot, start, count = torch.split(self.place, 1)
        offsets = torch.arange(bucket, device=self.place.device)
        real = offsets < count
        positions = torch.where(real, start + offsets, 0)
        tokens = torch.where(real, slot * self.cache.positions + positions, self.cache.padding)
        x = torch.where(real[:, None], self.x[:bucket], 0)
        angles, heads = self.language.rotary.angles(positions), self.language.language.heads
        for number, layer in enumerate(self.language.layers):
            joined = self.language.rotary.turn(self.language.project(layer, x), angles)
            self.cache.write(number, tokens, torch.unflatten(joined[:, heads:], 1, (2, -1)))
            seen = self.cache.attend_prompt(number, joined[:, :heads].contiguous(), slot, start, count)
            if layer is self.language.layers[-1]:
                seen, x = seen.index_select(0, count - 1), x.index_select(0, count - 1)
            x = self.language.finish(layer, seen.flatten(1), x)
        self.state.copy_(self.language.end(x)[0])


def pinned(source: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """The tensor in the type of `like`, in memory from which its device copies without waiting."""
    made = source if source.dtype == torch.int64 else source.to(like.dtype)
    return made.pin_memory() if like.is_cuda else made
