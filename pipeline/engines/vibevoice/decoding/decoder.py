"""The loop: frames of many segments in one batch, each in a slot of its own.

A segment's row sees its own past only, and draws from its own noise, so its sound doesn't depend on its batch
mates beyond the rounding of half precision. A slot may be refilled before any step.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from pipeline.engines.vibevoice.checkpoint.weights import wide
from pipeline.engines.vibevoice.decoding.cuda_graphs import Graphed, Record, Work
from pipeline.engines.vibevoice.decoding.prefill import POSITIONS_MAX, Prefill, Prompt
from pipeline.engines.vibevoice.decoding.prefix_cache import Prefixes
from pipeline.engines.vibevoice.model.kv_cache import Cache, Reader, Window
from pipeline.engines.vibevoice.model.language_model import Piece
from pipeline.engines.vibevoice.model.model import Model
from pipeline.engines.vibevoice.model.streaming_conv import Stream

Choose = Callable[[Sequence[float], int], int]
"""(the scores of the four legal tokens, how many were chosen before) to the index of the next."""


def likeliest(scores: Sequence[float], _: int) -> int:
    """The highest score; of equals the first, as transformers has it."""
    return max(range(len(scores)), key=scores.__getitem__)


@dataclass(slots=True)
class Request:
    """One segment to be spoken."""

    prompt: torch.Tensor
    """(positions, hidden): the words' vectors with the voices' between them."""
    cuts: tuple[int, ...]
    """Positions after each voice, ascending: what lies before one may be shared with other segments."""
    noise: torch.Generator
    tokens_max: int
    """It ends after so many tokens, whatever the model says."""
    guidance: float = 1.3
    steps: int = 10
    choose: Choose = likeliest


@dataclass(slots=True)
class Row:
    """A slot at work."""

    request: Request
    position: int
    """Where the positive branch writes next."""
    negative_position: int = 0
    tokens: list[int] = field(default_factory=list)
    frames: list[npt.NDArray[np.floating]] = field(default_factory=list)
    done: bool = False

    def samples(self) -> npt.NDArray[np.floating]:
        """All that was spoken, (n,), in the precision of the model but at least float32."""
        return np.concatenate(self.frames) if self.frames else np.zeros(0, np.float32)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much the decoder may hold at once."""

    slots: int = 1
    positions: int = 4096
    """Most positions of a segment: its prompt and its frames."""
    frames: int = 2048
    """Most frames of a segment."""
    prefix_bytes: int = 256 << 20
    """Keys and values of voices, kept for other segments."""


class Decoder:
    """The state of every slot, and the step that moves them all."""

    def __init__(
        self, model: Model, limits: Limits, *, fixed_shapes: bool = False, record: Record | None = None
    ) -> None:
        """Args:
        fixed_shapes: compute every slot in every step, whether it is at work or not.
        record: with it the parts of a step are recorded and launched as one; needs fixed shapes.
        """
        self.model, self.limits, self.fixed_shapes = model, limits, fixed_shapes
        self.tokens, self.dtype, self.device = model.tokens, model.dtype, model.device
        self.rows: list[Row | None] = [None] * limits.slots
        slots, language = limits.slots, model.language.language
        held: Any = {"dtype": self.dtype, "device": self.device, "clear": fixed_shapes}
        self.positive = Cache(language, slots, limits.positions, **held)
        self.negative = Cache(language, slots, limits.frames + 1, **held)
        self.speech_memories = model.speech.memories(slots)
        self.listener_memories = model.listener.memories(slots)
        self.prefixes = Prefixes(limits.prefix_bytes)
        # Where bits depend on shapes, a prompt's must not depend on those that are read with it.
        together = 1 if fixed_shapes else POSITIONS_MAX
        self.prefill = Prefill(model.language, self.positive, self.prefixes, together)
        self.states = torch.zeros(2, slots, language.hidden, dtype=self.dtype, device=self.device)
        self.start_state, self.start_pairs = self._read_start()
        self.sampler: Work = model.sampler
        self.speech: Work = lambda x: model.speech(x, self.speech_memories)
        self.listener: Work = lambda x: model.listener(x, self.listener_memories)
        self.language: Work = self._listen
        if record is not None:
            self.sampler = Graphed(self.sampler, record)
            self.speech = Graphed(self.speech, record, lambda: self.speech_memories)
            self.listener = Graphed(self.listener, record, lambda: self.listener_memories)
            self.language = Graphed(self.language, record)

    @torch.inference_mode()
    def _read_start(self) -> tuple[torch.Tensor, torch.Tensor]:
        """What the negative branch of every segment starts with: the state after the start of sound alone."""
        start = self.model.embeddings[self.tokens.legal.index(self.tokens.audio_start)]
        (state,) = self.model.language.prefill([Piece(0, 0, start[None])], self.negative)
        return state, self.negative.copy_out(0, 0, 1)

    @property
    def active(self) -> list[int]:
        """The slots at work."""
        return [slot for slot, row in enumerate(self.rows) if row is not None]

    @property
    def free(self) -> list[int]:
        return [slot for slot, row in enumerate(self.rows) if row is None]

    @torch.inference_mode()
    def admit(self, requests: Mapping[int, Request]) -> dict[int, Row]:
        """Put segments into free slots and read their prompts; `step` keeps the rows up to date.

        Args:
            requests: by the slot that each goes into.
        """
        if self.fixed_shapes:
            for slot in requests:  # a `Window` sees what lies there, and nothing times a NaN is NaN
                self.positive.clear(slot)
                self.negative.clear(slot)
        states = self.prefill({slot: self._prompt(request) for slot, request in requests.items()})
        for slot, request in requests.items():
            self.states[0, slot] = states[slot]
            self.negative.copy_in(slot, 0, self.start_pairs)
            self.states[1, slot] = self.start_state
            for memory in (*self.speech_memories, *self.listener_memories):
                memory[slot] = 0
            self.rows[slot] = Row(request, position=len(request.prompt))
        return {slot: self.row(slot) for slot in requests}

    def _prompt(self, request: Request) -> Prompt:
        return Prompt(request.prompt.to(device=self.device, dtype=self.dtype), request.cuts)

    def release(self, slot: int) -> None:
        """Free a slot, whatever its segment's state."""
        self.rows[slot] = None

    @torch.inference_mode()
    def step(self) -> None:
        """One token of every segment at work; of those that speak, one frame.

        A segment whose row is `done` needs no further step and must be released before the next.
        """
        computed = list(range(self.limits.slots)) if self.fixed_shapes else self.active
        chosen = self._choose(computed)
        legal = self.tokens.legal
        x = self.model.embeddings[[legal.index(chosen.get(slot, self.tokens.audio)) for slot in computed]]
        speaking = [slot for slot in computed if chosen.get(slot) == self.tokens.audio]
        if speaking:
            x = self._speak(x, computed, speaking)
        self._count(chosen)
        if any(not row.done for row in self.rows if row is not None):
            self._advance(x, computed)

    def _choose(self, computed: Sequence[int]) -> dict[int, int]:
        """The next token of every segment at work, by its slot."""
        scores = self.model.score(self.states[0, computed]).tolist()
        chosen = {}
        for slot, four in zip(computed, scores, strict=True):
            row = self.rows[slot]
            if row is not None:
                chosen[slot] = self.tokens.legal[row.request.choose(four, len(row.tokens))]
                row.tokens.append(chosen[slot])
        return chosen

    def _count(self, chosen: dict[int, int]) -> None:
        """Note what was chosen: where the negative branch stands, and who is done."""
        for slot, token in chosen.items():
            row = self.row(slot)
            if token == self.tokens.audio_start:
                row.negative_position = 0
            elif token == self.tokens.audio:
                row.negative_position += 1
            row.done = token == self.tokens.end or len(row.tokens) >= row.request.tokens_max

    def _speak(self, x: torch.Tensor, computed: list[int], speaking: list[int]) -> torch.Tensor:
        """One frame of the rows that speak; in x (computed rows, hidden) it replaces theirs."""
        rows = computed if self.fixed_shapes else speaking
        latents = self._sample(rows, speaking).to(self.dtype)[:, None]
        speech, listener = self.model.speech, self.model.listener
        unscaled = self.model.unscaled(latents)
        if len(rows) == self.limits.slots:
            audio = self._whole(self.speech, unscaled, self.speech_memories, speaking)
            sense = self._whole(self.listener, audio, self.listener_memories, speaking)
        else:
            audio = self._part(speech, unscaled, self.speech_memories, speaking)
            sense = self._part(listener, audio, self.listener_memories, speaking)
        heard = self.model.acoustic.plus(latents, self.model.semantic(sense))[:, 0]
        samples = audio[..., 0].to(wide(self.dtype)).cpu().numpy()
        for slot in speaking:
            self.row(slot).frames.append(samples[rows.index(slot)].copy())
        if speaking == computed:
            return heard
        x[[computed.index(slot) for slot in speaking]] = heard[[rows.index(slot) for slot in speaking]]
        return x

    def _sample(self, rows: list[int], speaking: list[int]) -> torch.Tensor:
        """(rows, latent); where segments differ in their number of steps, one pass for each number."""
        positive, negative = self.states[:, rows]
        noise, guidance = self._noise(rows, speaking)
        steps = {slot: self.row(slot).request.steps for slot in speaking}
        latents = noise
        for count in sorted(set(steps.values())):
            made = self.sampler(positive, negative, noise, guidance, count)
            members = [rows.index(slot) for slot in speaking if steps[slot] == count]
            latents = latents.index_copy(0, torch.tensor(members, device=self.device), made[members])
        return latents

    def _noise(self, rows: list[int], speaking: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """(rows, latent) from the segments' own sources, as `generate()` draws; and (rows, 1) guidance."""
        noise = torch.zeros(len(rows), self.model.latent, dtype=wide(self.dtype))
        guidance = torch.ones(len(rows), 1, dtype=noise.dtype)
        for slot in speaking:
            request, at = self.row(slot).request, rows.index(slot)
            noise[at] = torch.randn(2, self.model.latent, generator=request.noise)[0]
            guidance[at] = request.guidance
        return noise.to(self.device), guidance.to(self.device)

    def _whole(
        self, stream: Work, x: torch.Tensor, memories: list[torch.Tensor], speaking: list[int]
    ) -> torch.Tensor:
        """Run a stack for every slot; the memories of those that don't speak stay as they were."""
        quiet = [slot for slot in range(self.limits.slots) if slot not in speaking]
        before = [memory[quiet] for memory in memories] if quiet else []
        y = stream(x)
        for memory, old in zip(memories if quiet else [], before, strict=True):
            memory[quiet] = old
        return y

    def _part(
        self, stream: Stream, x: torch.Tensor, memories: list[torch.Tensor], speaking: list[int]
    ) -> torch.Tensor:
        """Run a stack for the slots that speak."""
        moved = [memory[speaking] for memory in memories]
        y = stream(x, moved)
        for memory, new in zip(memories, moved, strict=True):
            memory[speaking] = new
        return y

    def _advance(self, x: torch.Tensor, computed: list[int]) -> None:
        """Both branches of the language model hear the last token or frame."""
        positions = [
            (row.position, row.negative_position) if (row := self.rows[slot]) else (0, 0) for slot in computed
        ]
        if self.fixed_shapes:
            heard = self.language(x, torch.tensor(positions, device=self.device).T.contiguous())
        else:
            readers = (
                Reader(self.positive, computed, [positive for positive, _ in positions]),
                Reader(self.negative, computed, [negative for _, negative in positions]),
            )
            heard = self.model.language.step(x.repeat(2, 1), readers)
        self.states[:, computed] = heard.view(2, len(computed), -1)
        for slot in computed:
            if (row := self.rows[slot]) is not None:
                row.position += 1

    def _listen(self, x: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """Every slot's next states (2 * slots, hidden): x (slots, hidden), positions (2, slots)."""
        readers = Window(self.positive, positions[0]), Window(self.negative, positions[1])
        return self.model.language.step(x.repeat(2, 1), readers)

    def row(self, slot: int) -> Row:
        """The segment in that slot."""
        row = self.rows[slot]
        if row is None:
            raise KeyError(f"slot {slot} is free")
        return row
