"""Continuous batching on a CPU: each step decodes one frame of every segment, each in its own slot.

A row attends to its own past only and draws from its own noise, so its audio does not depend on the rest of
the batch, except for rounding in half precision. A slot may be refilled before any step.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch

from pipeline.engines.vibevoice.checkpoint.weights import at_least_float32
from pipeline.engines.vibevoice.decoding.prefill import Prefill, Prompt
from pipeline.engines.vibevoice.decoding.prefix_cache import PrefixCache
from pipeline.engines.vibevoice.decoding.request import Limits, SegmentRequest
from pipeline.engines.vibevoice.model.kv_cache import KvCache, StepAttention
from pipeline.engines.vibevoice.model.language_model import PromptPiece
from pipeline.engines.vibevoice.model.model import Model
from pipeline.engines.vibevoice.model.streaming_conv import StreamingStack


def argmax(scores: Sequence[float]) -> int:
    """Return the index of the highest score; ties go to the first, as in transformers."""
    return max(range(len(scores)), key=scores.__getitem__)


@dataclass(slots=True)
class DecoderRow:
    """Segment in a slot."""

    request: SegmentRequest
    position: int
    """Next position of the positive branch."""
    negative_position: int = 0
    tokens: list[int] = field(default_factory=list)
    frames: list[npt.NDArray[np.floating]] = field(default_factory=list)
    done: bool = False

    @property
    def frames_done(self) -> int:
        """Frames decoded so far."""
        return len(self.frames)

    def samples(self) -> npt.NDArray[np.floating]:
        """Return all samples, (n,), in the precision of the model but at least float32."""
        return np.concatenate(self.frames) if self.frames else np.zeros(0, np.float32)


class Decoder:
    """Decoder for CPUs, where shapes may vary: a step computes the active slots only."""

    def __init__(self, model: Model, limits: Limits) -> None:
        self.model, self.limits = model, limits
        self.tokens, self.dtype, self.device = model.tokens, model.dtype, model.device
        self.rows: list[DecoderRow | None] = [None] * limits.slots
        slots, language = limits.slots, model.language.config
        self.positive = KvCache(language, slots, limits.positions, self.dtype, self.device)
        self.negative = KvCache(language, slots, limits.frames + 1, self.dtype, self.device)
        self.acoustic_memories = model.acoustic_decoder.memories(slots)
        self.semantic_memories = model.semantic_encoder.memories(slots)
        self.prefix_cache = PrefixCache(limits.prefix_bytes)
        self.prefill = Prefill(model.language, self.positive, self.prefix_cache)
        self.states = torch.zeros(2, slots, language.hidden, dtype=self.dtype, device=self.device)
        self.start_state, self.start_pairs = self._read_start()

    @torch.inference_mode()
    def _read_start(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Compute the initial state of every negative branch: that after the start-of-audio token alone.

        Returns:
            The hidden state (hidden,), and the keys and values of that position.
        """
        start = self.model.embeddings[self.tokens.legal.index(self.tokens.audio_start)]
        (state,) = self.model.language.prefill([PromptPiece(0, 0, start[None])], self.negative)
        return state, self.negative.copy_out(0, 0, 1)

    @property
    def active(self) -> list[int]:
        """Slots with a segment."""
        return [slot for slot, row in enumerate(self.rows) if row is not None]

    @property
    def free(self) -> list[int]:
        """Slots without a segment."""
        return [slot for slot, row in enumerate(self.rows) if row is None]

    @property
    def passes(self) -> int:
        """Prefill passes so far."""
        return self.prefill.passes

    @property
    def refusals(self) -> int | None:
        """None: nothing is captured on a CPU."""
        return None

    @torch.inference_mode()
    def admit(self, requests: Mapping[int, SegmentRequest]) -> dict[int, DecoderRow]:
        """Put segments into free slots and prefill their prompts; `step` updates the rows returned.

        Args:
            requests: by slot.
        """
        states = self.prefill({slot: self._prompt(request) for slot, request in requests.items()})
        for slot, request in requests.items():
            self.states[0, slot] = states[slot]
            self.negative.copy_in(slot, 0, self.start_pairs)
            self.states[1, slot] = self.start_state
            for memory in (*self.acoustic_memories, *self.semantic_memories):
                memory[slot] = 0
            self.rows[slot] = DecoderRow(request, position=len(request.prompt))
        return {slot: self.row(slot) for slot in requests}

    def _prompt(self, request: SegmentRequest) -> Prompt:
        return Prompt(request.prompt.to(device=self.device, dtype=self.dtype), request.cuts)

    def release(self, slot: int) -> None:
        """Free a slot, finished or not."""
        self.rows[slot] = None

    @torch.inference_mode()
    def step(self) -> None:
        """Decode one token of every active segment, and one frame if the token is audio.

        A segment whose row is `done` must be released before the next step.
        """
        computed = self.active
        chosen = self._choose(computed)
        legal = self.tokens.legal
        x = self.model.embeddings[[legal.index(chosen[slot]) for slot in computed]]
        speaking = [slot for slot in computed if chosen[slot] == self.tokens.audio]
        if speaking:
            x = self._decode_frame(x, computed, speaking)
        self._count(chosen)
        if any(not row.done for row in self.rows if row is not None):
            self._advance(x, computed)

    def _choose(self, computed: Sequence[int]) -> dict[int, int]:
        """Choose the next token of every active segment, by slot."""
        scores = self.model.score(self.states[0, computed]).tolist()
        chosen = {}
        for slot, four in zip(computed, scores, strict=True):
            row = self.row(slot)
            given = row.request.forced[len(row.tokens) :][:1]
            chosen[slot] = given[0] if given else self.tokens.legal[argmax(four)]
            row.tokens.append(chosen[slot])
        return chosen

    def _count(self, chosen: dict[int, int]) -> None:
        """Update the position of the negative branch, and whether the segment is done."""
        for slot, token in chosen.items():
            row = self.row(slot)
            if token == self.tokens.audio_start:
                row.negative_position = 0
            elif token == self.tokens.audio:
                row.negative_position += 1
            row.done = token == self.tokens.end or len(row.tokens) >= row.request.tokens_max

    def _decode_frame(self, x: torch.Tensor, computed: list[int], speaking: list[int]) -> torch.Tensor:
        """Decode one frame of the speaking rows, and put its embedding into x (computed rows, hidden)."""
        latents = self._sample(speaking).to(self.dtype)[:, None]
        audio = self._run(
            self.model.acoustic_decoder, self.model.unscaled(latents), self.acoustic_memories, speaking
        )
        semantic = self._run(self.model.semantic_encoder, audio, self.semantic_memories, speaking)
        embedded = self.model.acoustic_connector.plus(latents, self.model.semantic_connector(semantic))[:, 0]
        samples = audio[..., 0].to(at_least_float32(self.dtype)).numpy()
        for slot, frame in zip(speaking, samples, strict=True):
            self.row(slot).frames.append(frame.copy())
        if speaking == computed:
            return embedded
        x[[computed.index(slot) for slot in speaking]] = embedded
        return x

    def _sample(self, speaking: list[int]) -> torch.Tensor:
        """Sample the latents (rows, latent) of the speaking rows."""
        requests = [self.row(slot).request for slot in speaking]
        noise = torch.stack([torch.randn(2, self.model.latent, generator=one.noise)[0] for one in requests])
        guidance = torch.tensor([[one.guidance] for one in requests], dtype=at_least_float32(self.dtype))
        tables = self.model.sampler.tables([one.steps for one in requests])
        return self.model.sampler(self.states[:, speaking].flatten(0, 1), noise, guidance, tables)

    def _run(
        self, stream: StreamingStack, x: torch.Tensor, memories: list[torch.Tensor], speaking: list[int]
    ) -> torch.Tensor:
        """Run a stack for the speaking slots."""
        if len(speaking) == self.limits.slots:
            return stream(x, memories)
        return self._run_some(stream, x, memories, speaking)

    def _run_some(
        self, stream: StreamingStack, x: torch.Tensor, memories: list[torch.Tensor], speaking: list[int]
    ) -> torch.Tensor:
        """Run a stack on copies of the state of some slots."""
        moved = [memory[speaking] for memory in memories]
        y = stream(x, moved)
        for memory, new in zip(memories, moved, strict=True):
            memory[speaking] = new
        return y

    def _advance(self, x: torch.Tensor, computed: list[int]) -> None:
        """Run both branches of the language model on the embeddings x (computed rows, hidden)."""
        rows = [self.row(slot) for slot in computed]
        readers = (
            StepAttention(self.positive, computed, [row.position for row in rows]),
            StepAttention(self.negative, computed, [row.negative_position for row in rows]),
        )
        embedded = self.model.language.step(x.repeat(2, 1), readers)
        self.states[:, computed] = embedded.view(2, len(computed), -1)
        for row in rows:
            row.position += 1

    def row(self, slot: int) -> DecoderRow:
        """Return the segment in a slot.

        Raises:
            KeyError: the slot is free.
        """
        row = self.rows[slot]
        if row is None:
            raise KeyError(f"slot {slot} is free")
        return row
