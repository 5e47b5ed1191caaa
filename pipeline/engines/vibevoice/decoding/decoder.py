"""The loop: frames of many segments in one batch, each in a slot of its own.

A segment's row sees its own past only, and draws from its own noise, so its sound doesn't depend on its batch
mates beyond the rounding of half precision. A slot may be refilled before any step.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch

from pipeline.engines.vibevoice.checkpoint.weights import wide
from pipeline.engines.vibevoice.decoding.prefill import Prefill, Prompt
from pipeline.engines.vibevoice.decoding.prefix_cache import Prefixes
from pipeline.engines.vibevoice.decoding.request import Limits, Request
from pipeline.engines.vibevoice.model.kv_cache import Cache, Reader
from pipeline.engines.vibevoice.model.language_model import Piece
from pipeline.engines.vibevoice.model.model import Model
from pipeline.engines.vibevoice.model.streaming_conv import Stream


def likeliest(scores: Sequence[float]) -> int:
    """Index of the highest score; of equals the first, as transformers has it."""
    return max(range(len(scores)), key=scores.__getitem__)


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

    @property
    def spoken(self) -> int:
        """Frames so far."""
        return len(self.frames)

    def samples(self) -> npt.NDArray[np.floating]:
        """All that was spoken, (n,), in the precision of the model but at least float32."""
        return np.concatenate(self.frames) if self.frames else np.zeros(0, np.float32)


class Decoder:
    """The state of every slot, and the step that moves those at work: for CPUs, where shapes may vary."""

    def __init__(self, model: Model, limits: Limits) -> None:
        self.model, self.limits = model, limits
        self.tokens, self.dtype, self.device = model.tokens, model.dtype, model.device
        self.rows: list[Row | None] = [None] * limits.slots
        slots, language = limits.slots, model.language.language
        self.positive = Cache(language, slots, limits.positions, self.dtype, self.device)
        self.negative = Cache(language, slots, limits.frames + 1, self.dtype, self.device)
        self.speech_memories = model.speech.memories(slots)
        self.listener_memories = model.listener.memories(slots)
        self.prefixes = Prefixes(limits.prefix_bytes)
        self.prefill = Prefill(model.language, self.positive, self.prefixes)
        self.states = torch.zeros(2, slots, language.hidden, dtype=self.dtype, device=self.device)
        self.start_state, self.start_pairs = self._read_start()

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

    @property
    def passes(self) -> int:
        """Passes over prompts so far."""
        return self.prefill.passes

    @property
    def refusals(self) -> int | None:
        """None: nothing is captured on a CPU."""
        return None

    @torch.inference_mode()
    def admit(self, requests: Mapping[int, Request]) -> dict[int, Row]:
        """Put segments into free slots and read their prompts; `step` keeps the rows up to date.

        Args:
            requests: by the slot that each goes into.
        """
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
        computed = self.active
        chosen = self._choose(computed)
        legal = self.tokens.legal
        x = self.model.embeddings[[legal.index(chosen[slot]) for slot in computed]]
        speaking = [slot for slot in computed if chosen[slot] == self.tokens.audio]
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
            row = self.row(slot)
            given = row.request.forced[len(row.tokens) :][:1]
            chosen[slot] = given[0] if given else self.tokens.legal[likeliest(four)]
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
        latents = self._sample(speaking).to(self.dtype)[:, None]
        audio = self._run(self.model.speech, self.model.unscaled(latents), self.speech_memories, speaking)
        sense = self._run(self.model.listener, audio, self.listener_memories, speaking)
        heard = self.model.acoustic.plus(latents, self.model.semantic(sense))[:, 0]
        samples = audio[..., 0].to(wide(self.dtype)).numpy()
        for slot, frame in zip(speaking, samples, strict=True):
            self.row(slot).frames.append(frame.copy())
        if speaking == computed:
            return heard
        x[[computed.index(slot) for slot in speaking]] = heard
        return x

    def _sample(self, speaking: list[int]) -> torch.Tensor:
        """(rows, latent), of those that speak."""
        requests = [self.row(slot).request for slot in speaking]
        noise = torch.stack([torch.randn(2, self.model.latent, generator=one.noise)[0] for one in requests])
        guidance = torch.tensor([[one.guidance] for one in requests], dtype=wide(self.dtype))
        tables = self.model.sampler.tables([one.steps for one in requests])
        return self.model.sampler(self.states[:, speaking].flatten(0, 1), noise, guidance, tables)

    def _run(
        self, stream: Stream, x: torch.Tensor, memories: list[torch.Tensor], speaking: list[int]
    ) -> torch.Tensor:
        """Run a stack for the slots that speak."""
        if len(speaking) == self.limits.slots:
            return stream(x, memories)
        return self._part(stream, x, memories, speaking)

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
        rows = [self.row(slot) for slot in computed]
        readers = (
            Reader(self.positive, computed, [row.position for row in rows]),
            Reader(self.negative, computed, [row.negative_position for row in rows]),
        )
        heard = self.model.language.step(x.repeat(2, 1), readers)
        self.states[:, computed] = heard.view(2, len(computed), -1)
        for row in rows:
            row.position += 1

    def row(self, slot: int) -> Row:
        """The segment in that slot."""
        row = self.rows[slot]
        if row is None:
            raise KeyError(f"slot {slot} is free")
        return row
