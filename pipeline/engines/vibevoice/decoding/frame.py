"""One frame of every slot on fixed device memory, so that it can be captured once and launched as one.

All control is arithmetic on the device: which token each row takes, whether it speaks, where it stands,
whether it has ended. Nothing is asked of the host and no shape depends on how many rows are at work, so a
row's bits do not depend on its company.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from math import prod

import torch

from pipeline.engines.vibevoice.checkpoint.footprint import STEPS_MAX
from pipeline.engines.vibevoice.checkpoint.weights import wide
from pipeline.engines.vibevoice.decoding.request import Limits
from pipeline.engines.vibevoice.model.language_model import Layer
from pipeline.engines.vibevoice.model.model import Model
from pipeline.engines.vibevoice.model.ragged_kv_cache import RaggedCache
from pipeline.engines.vibevoice.model.streaming_conv import Stream
from pipeline.engines.vibevoice.runtime.fusion import Fuser

POSITION, NEGATIVE, TOKENS, SPOKEN, TOKENS_MAX, ALIVE = range(6)
"""Columns of `Frame.control`."""
ALIGNED = 64
"""Numbers: 128 bytes in half precision."""


class Frame:
    """The state of all slots on the device, and the step that moves it."""

    def __init__(self, model: Model, limits: Limits, fused: Fuser) -> None:
        self.model, self.fused, slots = model, fused, limits.slots
        device, dtype, language = model.device, model.dtype, model.language.language
        self.slots, self.frames = slots, limits.frames
        self.legal = {token: index for index, token in enumerate(model.tokens.legal)}
        self.cache = RaggedCache(language, slots, limits.positions, limits.frames, dtype, device)
        self.states = torch.zeros(2 * slots, language.hidden, dtype=dtype, device=device)
        """(2 * slots, hidden): the language model's states, positive rows first."""
        self.control = torch.zeros(slots, 6, dtype=torch.int64, device=device)
        """(slots, 6): next position, next negative position, tokens, frames, most tokens, 1 while at work."""
        self.guidance = torch.ones(slots, 1, dtype=wide(dtype), device=device)
        self.forced = torch.full((slots, limits.frames), -1, dtype=torch.int8, device=device)
        """Index of each token among the legal ones; -1 where the model chooses."""
        self.noise = torch.zeros(slots, limits.frames, model.latent, dtype=wide(dtype), device=device)
        self.tables = model.sampler.empty_tables(STEPS_MAX, slots)
        speech, listener = _sizes(model.speech), _sizes(model.listener)
        self.memory = torch.zeros(slots, sum(speech) + sum(listener), dtype=dtype, device=device)
        """The pasts of both streaming stacks, row by row."""
        self.sizes = speech, listener
        hop = model.hop
        self.sound = torch.zeros(slots, limits.frames + 1, hop, dtype=dtype, device=device)
        """(slots, frames + 1, samples): what was spoken; rows that do not speak write the last frame."""
        self.chosen = torch.full((slots,), -1, dtype=torch.int8, device=device)
        """(slots,): the token that each row took in the last frame, among the legal ones; -1: not at work."""
        self.each = torch.arange(slots, device=device)

    def __call__(self, steps: int) -> None:
        """Take one token in every row at work; where it is a frame, speak it.

        Args:
            steps: most solver steps of a row at work.
        """
        index, speaking, noise = self.fused(self.choose)()
        tables = self.tables.first(steps)
        latents = self.model.sampler(self.states, noise, self.guidance, tables, self.fused)
        audio, heard = self._speak(latents.to(self.model.dtype)[:, None], speaking)
        x, tokens, lengths, positions = self.fused(self.move)(audio, heard, index, speaking)
        self.states.copy_(self._listen(x, tokens, lengths, positions))

    def choose(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The next token of every row.

        Returns:
            Its index among the legal ones (slots,), whether the row speaks (slots,), and the noise of the
            frame (slots, latent).
        """
        scores = self.model.score(self.states[: self.slots])
        places = torch.arange(scores.shape[1], device=scores.device)
        best = scores == scores.amax(1, keepdim=True)
        first = torch.where(best, places, len(places)).amin(1)  # of equals the first
        # A row whose scores are no numbers ends.
        likeliest = torch.where(first < len(places), first, self.legal[self.model.tokens.end])
        count = self.control[:, TOKENS].clamp(max=self.frames - 1)
        forced = self.forced[self.each, count].long()
        index = torch.where(forced >= 0, forced, likeliest)
        alive = self.control[:, ALIVE] > 0
        self.chosen.copy_(torch.where(alive, index, -1))
        spoken = self.control[:, SPOKEN].clamp(max=self.frames - 1)
        speaking = alive & (index == self.legal[self.model.tokens.audio])
        return index, speaking, self.noise[self.each, spoken]

    def _speak(self, latents: torch.Tensor, speaking: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """latents (slots, 1, latent) to samples (slots, hop) and what is heard of them (slots, hidden)."""
        model, memory = self.model, self.memory.clone()
        speech, listener = torch.split(memory, [sum(size) for size in self.sizes], 1)
        pasts = self._pasts(model.speech, speech, self.sizes[0])
        audio = model.speech(model.unscaled(latents), pasts, self.fused)
        sense = model.listener(audio, self._pasts(model.listener, listener, self.sizes[1]), self.fused)
        self.memory.copy_(torch.where(speaking[:, None], memory, self.memory))
        return audio[..., 0], self.fused(self.hear)(latents, sense)

    def hear(self, latents: torch.Tensor, sense: torch.Tensor) -> torch.Tensor:
        """Both views of a frame, (slots, 1, …), to what the language model hears: (slots, hidden)."""
        return self.model.acoustic.plus(latents, self.model.semantic(sense))[:, 0]

    def move(
        self, audio: torch.Tensor, heard: torch.Tensor, index: torch.Tensor, speaking: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Keep what was spoken and move every row on.

        Returns:
            What both branches hear (2 * slots, hidden), where their keys and values go (2 * slots,), how many
            tokens each then sees (2 * slots,) int32, and their positions (2 * slots,).
        """
        position, negative, count, spoken, most, at_work = self.control.unbind(1)
        self.sound[self.each, torch.where(speaking, spoken, self.frames)] = audio
        x = torch.where(speaking[:, None], heard, self.model.embeddings[index])
        starts = index == self.legal[self.model.tokens.audio_start]
        moved = torch.where(starts, 0, negative + speaking)
        working = torch.cat([at_work, at_work]) > 0
        ended = (index == self.legal[self.model.tokens.end]) | (count + at_work >= most)
        positions = torch.cat(
            [position.clamp(max=self.cache.positions - 1), moved.clamp(max=self.cache.negatives - 1)]
        )
        after = [position + at_work, torch.where(at_work > 0, moved, negative), count + at_work]
        alive = at_work * ~ended
        self.control.copy_(torch.stack([*after, spoken + speaking, most, alive], 1))
        # A slot whose next prompt is being read must not be written to.
        tokens = torch.where(working, self.cache.first + positions, self.cache.padding)
        lengths = torch.where(working, positions + 1, 1).int()
        return x.repeat(2, 1), tokens, lengths, positions

    def _listen(
        self, x: torch.Tensor, tokens: torch.Tensor, lengths: torch.Tensor, positions: torch.Tensor
    ) -> torch.Tensor:
        """Both branches of the language model hear the last token or frame; (2 * slots, hidden)."""
        language = self.model.language
        cosines, sines = language.rotary.angles(positions)
        for number, layer in enumerate(language.layers):
            store = self.cache.store[number]
            queries = self.fused(self.enter)(layer, x, cosines, sines, store, tokens)
            seen = self.cache.attend(number, queries, lengths, own_kernels=self.fused.own_kernels)
            x = self.fused(language.finish)(layer, seen.view(len(x), -1), x)
        return self.fused(language.end)(x)

    def enter(
        self,
        layer: Layer,
        x: torch.Tensor,
        cosines: torch.Tensor,
        sines: torch.Tensor,
        store: torch.Tensor,
        tokens: torch.Tensor,
    ) -> torch.Tensor:
        """A layer's queries (rows, heads, head size); its keys and values go into `store` at `tokens`."""
        language = self.model.language
        joined = language.rotary.turn(language.project(layer, x), (cosines, sines))
        heads = language.language.heads
        store.index_put_((tokens,), torch.unflatten(joined[:, heads:], 1, (2, -1)))
        return joined[:, :heads].contiguous()

    @contextmanager
    def idle(self) -> Iterator[None]:
        """No row is at work meanwhile: steps leave every row as it was."""
        kept = self.control.clone(), self.states.clone()
        self.control[:, ALIVE] = 0
        try:
            yield
        finally:
            self.control.copy_(kept[0])
            self.states.copy_(kept[1])

    @staticmethod
    def _pasts(stream: Stream, memory: torch.Tensor, sizes: list[int]) -> list[torch.Tensor]:
        """Views of a stack's memory, (slots, past, channels) a layer."""
        layers = zip(torch.split(memory, sizes, 1), stream.layers, strict=True)
        return [torch.unflatten(part[:, : prod(layer.memory)], 1, layer.memory) for part, layer in layers]


def _sizes(stream: Stream) -> list[int]:
    """Numbers that each layer of a stack remembers of a row, up to the next aligned place: Inductor's kernels
    copy a whole memory that is not aligned, before and after.
    """
    return [-(-prod(layer.memory) // ALIGNED) * ALIGNED for layer in stream.layers]
