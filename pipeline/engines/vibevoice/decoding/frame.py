"""One frame of every slot on fixed device memory, so that it can be captured as one CUDA graph.

All control is arithmetic on the device: the token of each row, whether it is audio, its position, whether it
has ended. The host is never consulted, and no shape depends on the number of active rows, so results per row
are independent of the batch.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from math import prod

import torch

from pipeline.engines.vibevoice.checkpoint.footprint import STEPS_MAX
from pipeline.engines.vibevoice.checkpoint.weights import at_least_float32
from pipeline.engines.vibevoice.decoding.request import Limits
from pipeline.engines.vibevoice.model.language_model import DecoderLayer
from pipeline.engines.vibevoice.model.model import Model
from pipeline.engines.vibevoice.model.ragged_kv_cache import RaggedKvCache
from pipeline.engines.vibevoice.model.streaming_conv import StreamingStack
from pipeline.engines.vibevoice.runtime.fusion import Fuser

POSITION, NEGATIVE, TOKENS, SPOKEN, TOKENS_MAX, ALIVE = range(6)
"""Columns of `Frame.control`."""
ALIGNED = 64
"""Alignment in elements, 128 bytes in half precision."""


class Frame:
    """State of all slots on the device, and the step that advances it."""

    def __init__(self, model: Model, limits: Limits, fused: Fuser) -> None:
        self.model, self.fused, slots = model, fused, limits.slots
        device, dtype, language = model.device, model.dtype, model.language.config
        self.slots, self.frames = slots, limits.frames
        self.legal = {token: index for index, token in enumerate(model.tokens.legal)}
        self.cache = RaggedKvCache(language, slots, limits.positions, limits.frames, dtype, device)
        self.states = torch.zeros(2 * slots, language.hidden, dtype=dtype, device=device)
        """(2 * slots, hidden): hidden states of the language model, positive rows first."""
        self.control = torch.zeros(slots, 6, dtype=torch.int64, device=device)
        """(slots, 6): next position, next negative position, tokens, frames, most tokens, 1 while active."""
        self.guidance = torch.ones(slots, 1, dtype=at_least_float32(dtype), device=device)
        self.forced = torch.full((slots, limits.frames), -1, dtype=torch.int8, device=device)
        """(slots, frames): forced tokens as indices of legal ones; -1 where the model chooses."""
        self.noise = torch.zeros(
            slots, limits.frames, model.latent, dtype=at_least_float32(dtype), device=device
        )
        self.tables = model.sampler.empty_tables(STEPS_MAX, slots)
        speech, listener = _sizes(model.acoustic_decoder), _sizes(model.semantic_encoder)
        self.memory = torch.zeros(slots, sum(speech) + sum(listener), dtype=dtype, device=device)
        """(slots, values): streaming state of both convolutional stacks."""
        self.sizes = speech, listener
        hop = model.hop
        self.sound = torch.zeros(slots, limits.frames + 1, hop, dtype=dtype, device=device)
        """(slots, frames + 1, samples): decoded audio; rows that do not speak write the last frame."""
        self.chosen = torch.full((slots,), -1, dtype=torch.int8, device=device)
        """(slots,): last token of each row as an index of the legal ones; -1 if the row is not active."""
        self.row_ids = torch.arange(slots, device=device)

    def __call__(self, steps: int) -> None:
        """Decode one token of every active row, and one frame if the token is audio.

        Args:
            steps: most solver steps of an active row.
        """
        index, speaking, noise = self.fused(self.choose_tokens)()
        tables = self.tables.first(steps)
        latents = self.model.sampler(self.states, noise, self.guidance, tables, self.fused)
        audio, embedded = self._decode_audio(latents.to(self.model.dtype)[:, None], speaking)
        x, tokens, lengths, positions = self.fused(self.advance)(audio, embedded, index, speaking)
        self.states.copy_(self._run_language_model(x, tokens, lengths, positions))

    def choose_tokens(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Choose the next token of every row.

        Returns:
            Its index among the legal tokens (slots,), a mask of the rows that speak (slots,), and the noise
            of the frame (slots, latent).
        """
        scores = self.model.score(self.states[: self.slots])
        places = torch.arange(scores.shape[1], device=scores.device)
        best = scores == scores.amax(1, keepdim=True)
        first = torch.where(best, places, len(places)).amin(1)  # ties go to the first
        # A row whose scores are NaN ends.
        likeliest = torch.where(first < len(places), first, self.legal[self.model.tokens.end])
        count = self.control[:, TOKENS].clamp(max=self.frames - 1)
        forced = self.forced[self.row_ids, count].long()
        index = torch.where(forced >= 0, forced, likeliest)
        alive = self.control[:, ALIVE] > 0
        self.chosen.copy_(torch.where(alive, index, -1))
        spoken = self.control[:, SPOKEN].clamp(max=self.frames - 1)
        speaking = alive & (index == self.legal[self.model.tokens.audio])
        return index, speaking, self.noise[self.row_ids, spoken]

    def _decode_audio(
        self, latents: torch.Tensor, speaking: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Decode latents (slots, 1, latent) to samples (slots, hop) and their embeddings (slots, hidden)."""
        model, memory = self.model, self.memory.clone()
        speech, listener = torch.split(memory, [sum(size) for size in self.sizes], 1)
        pasts = self._pasts(model.acoustic_decoder, speech, self.sizes[0])
        audio = model.acoustic_decoder(model.unscaled(latents), pasts, self.fused)
        semantic = model.semantic_encoder(
            audio, self._pasts(model.semantic_encoder, listener, self.sizes[1]), self.fused
        )
        self.memory.copy_(torch.where(speaking[:, None], memory, self.memory))
        return audio[..., 0], self.fused(self.connect)(latents, semantic)

    def connect(self, latents: torch.Tensor, semantic: torch.Tensor) -> torch.Tensor:
        """Embed acoustic and semantic latents of a frame, each (slots, 1, width), as (slots, hidden)."""
        return self.model.acoustic_connector.plus(latents, self.model.semantic_connector(semantic))[:, 0]

    def advance(
        self, audio: torch.Tensor, embedded: torch.Tensor, index: torch.Tensor, speaking: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Store the audio and advance every row.

        Returns:
            Embeddings for both branches (2 * slots, hidden), the tokens of the KV cache to write
            (2 * slots,), the tokens that each row then sees (2 * slots,) int32, and positions (2 * slots,).
        """
        position, negative, count, spoken, most, at_work = self.control.unbind(1)
        self.sound[self.row_ids, torch.where(speaking, spoken, self.frames)] = audio
        x = torch.where(speaking[:, None], embedded, self.model.embeddings[index])
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
        # A slot whose next prompt is being prefilled must not be written to.
        tokens = torch.where(working, self.cache.first + positions, self.cache.padding)
        lengths = torch.where(working, positions + 1, 1).int()
        return x.repeat(2, 1), tokens, lengths, positions

    def _run_language_model(
        self, x: torch.Tensor, tokens: torch.Tensor, lengths: torch.Tensor, positions: torch.Tensor
    ) -> torch.Tensor:
        """Run both branches of the language model on embeddings x; returns states (2 * slots, hidden)."""
        language = self.model.language
        cosines, sines = language.rotary.angles(positions)
        for number, layer in enumerate(language.layers):
            store = self.cache.store[number]
            queries = self.fused(self.project_and_store)(layer, x, cosines, sines, store, tokens)
            seen = self.cache.attend(number, queries, lengths, own_kernels=self.fused.own_kernels)
            x = self.fused(language.finish_layer)(layer, seen.view(len(x), -1), x)
        return self.fused(language.final_norm)(x)

    def project_and_store(
        self,
        layer: DecoderLayer,
        x: torch.Tensor,
        cosines: torch.Tensor,
        sines: torch.Tensor,
        store: torch.Tensor,
        tokens: torch.Tensor,
    ) -> torch.Tensor:
        """Compute a layer's queries (rows, heads, head size), and write its keys and values to `store`."""
        language = self.model.language
        qkv = language.rotary.rotate(language.project_qkv(layer, x), (cosines, sines))
        heads = language.config.heads
        store.index_put_((tokens,), torch.unflatten(qkv[:, heads:], 1, (2, -1)))
        return qkv[:, :heads].contiguous()

    @contextmanager
    def idle(self) -> Iterator[None]:
        """Deactivate all rows for the body, so that steps leave every row unchanged."""
        saved = self.control.clone(), self.states.clone()
        self.control[:, ALIVE] = 0
        try:
            yield
        finally:
            self.control.copy_(saved[0])
            self.states.copy_(saved[1])

    @staticmethod
    def _pasts(stream: StreamingStack, memory: torch.Tensor, sizes: list[int]) -> list[torch.Tensor]:
        """Split a stack's state into views, (slots, past, channels) per layer."""
        layers = zip(torch.split(memory, sizes, 1), stream.layers, strict=True)
        return [torch.unflatten(part[:, : prod(layer.memory)], 1, layer.memory) for part, layer in layers]


def _sizes(stream: StreamingStack) -> list[int]:
    """Return the size of each layer's state per row, aligned.

    Inductor's kernels copy an unaligned tensor whole, before and after.
    """
    return [-(-prod(layer.memory) // ALIGNED) * ALIGNED for layer in stream.layers]
