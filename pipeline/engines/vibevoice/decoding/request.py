"""Requests to the decoder, and the precision that they are decoded in."""

from dataclasses import dataclass

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
