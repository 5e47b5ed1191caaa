"""Requests to a decoder, and the decoder as the scheduler sees it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch

from pipeline.errors import EngineError


@dataclass(frozen=True, slots=True)
class Precision:
    """What a decoder computes with."""

    dtype: torch.dtype
    quantized: bool = False
    """Whether the language model's weights are held in eight bits: half its memory, another sound."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """What is to be spoken, and how."""

    words: torch.Tensor
    """(positions, hidden): the prompt's vectors with one place for each voice."""
    places: tuple[int, ...]
    """Where the voices go, ascending."""
    voices: tuple[torch.Tensor, ...]
    """Each (frames, hidden)."""
    frames: int
    """Expected."""
    frames_max: int
    seed: int
    guidance: float
    steps: int


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
    forced: Sequence[int] = ()
    """Token IDs that are taken whatever the scores; after the last one the model chooses. For tests."""


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


class SlotRow(Protocol):
    """A segment in a slot, as whoever waits for it sees it."""

    done: bool

    @property
    def spoken(self) -> int:
        """Frames so far."""
        ...

    def samples(self) -> npt.NDArray[np.floating]:
        """All that was spoken, (n,), once it is done."""
        ...


class SlotDecoder(Protocol):
    """Decodes many segments at once, each in a slot; a slot may be refilled before any step."""

    @property
    def free(self) -> list[int]: ...

    @property
    def passes(self) -> int:
        """Passes over prompts so far."""
        ...

    @property
    def refusals(self) -> int | None:
        """How many parts could not be captured as CUDA graphs; None where nothing is captured."""
        ...

    def admit(self, requests: Mapping[int, Request]) -> Mapping[int, SlotRow]:
        """Put segments into free slots."""
        ...

    def step(self) -> None:
        """Move every segment at work on by a token."""
        ...

    def row(self, slot: int) -> SlotRow: ...

    def release(self, slot: int) -> None:
        """Free a slot, whatever its segment's state."""
        ...


def assemble(spoken: Spoken) -> tuple[torch.Tensor, tuple[int, ...]]:
    """The prompt with its voices in their places, (positions, hidden), and the positions after each voice."""
    pieces: list[torch.Tensor] = []
    cuts, start, length = [], 0, 0
    for place, voice in zip(spoken.places, spoken.voices, strict=True):
        if voice.shape[1] != spoken.words.shape[1]:
            raise EngineError(
                f"a voice has {voice.shape[1]} numbers a frame, the words have {spoken.words.shape[1]}"
            )
        pieces += [spoken.words[start:place], voice]
        length += place - start + len(voice)
        cuts.append(length)
        start = place + 1
    return torch.cat([*pieces, spoken.words[start:]]), tuple(cuts)
