"""Requests to a decoder, and the protocol between scheduler and decoder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch

from pipeline.errors import EngineError


@dataclass(frozen=True, slots=True)
class Precision:
    """Number format of a decoder."""

    dtype: torch.dtype
    quantized: bool = False
    """True if the language model's weights are int8: half the memory, and different audio."""


@dataclass(frozen=True, slots=True)
class SegmentInputs:
    """Inputs of the diffusion stage for one segment."""

    words: torch.Tensor
    """(positions, hidden): embeddings of the prompt, with one placeholder per voice."""
    places: tuple[int, ...]
    """Positions of the placeholders, ascending."""
    voices: tuple[torch.Tensor, ...]
    """Speaker embeddings, each (frames, hidden)."""
    frames: int
    """Expected frames."""
    frames_max: int
    """Frames after which the segment is cut."""
    seed: int
    guidance: float
    """Scale of classifier-free guidance; 1 follows the text alone."""
    steps: int
    """Solver steps per frame."""


@dataclass(slots=True)
class SegmentRequest:
    """One segment to be decoded."""

    prompt: torch.Tensor
    """(positions, hidden): embeddings of the words with the voices inserted."""
    cuts: tuple[int, ...]
    """Positions after each voice, ascending; the prefix up to one can be shared with other segments."""
    noise: torch.Generator
    """The only source of randomness."""
    tokens_max: int
    """Tokens after which the segment is cut."""
    guidance: float = 1.3
    steps: int = 10
    forced: Sequence[int] = ()
    """Token IDs taken regardless of the logits (teacher forcing), for tests; then the model chooses."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Capacity of a decoder."""

    slots: int = 1
    positions: int = 4096
    """Most positions of a segment, its prompt and its frames."""
    frames: int = 2048
    """Most frames of a segment."""
    prefix_bytes: int = 256 << 20
    """Size of the prefix cache."""


class SlotRow(Protocol):
    """Segment in a slot, as seen by the thread that waits for it."""

    done: bool

    @property
    def frames_done(self) -> int:
        """Frames decoded so far."""
        ...

    def samples(self) -> npt.NDArray[np.floating]:
        """Return all samples, (n,), once the segment is done."""
        ...


class SlotDecoder(Protocol):
    """Decodes many segments at once, each in a slot; a slot may be refilled before any step."""

    @property
    def free(self) -> list[int]:
        """Slots without a segment."""
        ...

    @property
    def passes(self) -> int:
        """Prefill passes so far."""
        ...

    @property
    def refusals(self) -> int | None:
        """Number of parts that could not be captured as CUDA graphs; None where nothing is captured."""
        ...

    def admit(self, requests: Mapping[int, SegmentRequest]) -> Mapping[int, SlotRow]:
        """Put segments into free slots.

        Args:
            requests: by slot.
        """
        ...

    def step(self) -> None:
        """Decode one token of every active segment."""
        ...

    def row(self, slot: int) -> SlotRow:
        """Return the segment in a slot.

        Raises:
            KeyError: the slot is free.
        """
        ...

    def release(self, slot: int) -> None:
        """Free a slot, finished or not."""
        ...


def assemble_prompt(inputs: SegmentInputs) -> tuple[torch.Tensor, tuple[int, ...]]:
    """Insert the speaker embeddings into the prompt.

    Returns:
        The prompt (positions, hidden), and the position after each voice.

    Raises:
        EngineError: a speaker embedding has another width than the prompt.
    """
    pieces: list[torch.Tensor] = []
    cuts, start, length = [], 0, 0
    for place, voice in zip(inputs.places, inputs.voices, strict=True):
        if voice.shape[1] != inputs.words.shape[1]:
            raise EngineError(
                f"a speaker embedding has width {voice.shape[1]}, but the words have {inputs.words.shape[1]}"
            )
        pieces += [inputs.words[start:place], voice]
        length += place - start + len(voice)
        cuts.append(length)
        start = place + 1
    return torch.cat([*pieces, inputs.words[start:]]), tuple(cuts)
