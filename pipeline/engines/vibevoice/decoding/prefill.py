"""Prompts into a cache: several in one pass, and a voice that was read before is copied."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch

from pipeline.engines.vibevoice.decoding.prefix_cache import Prefixes
from pipeline.engines.vibevoice.model.kv_cache import Cache
from pipeline.engines.vibevoice.model.language_model import LanguageModel, Piece

POSITIONS_MAX = 1024
"""Of a pass. With so many a product computes at full speed, and more would only need more memory."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a segment starts with."""

    x: torch.Tensor
    """(positions, hidden), on the model's device."""
    cuts: tuple[int, ...]
    """Positions after each voice, ascending: what lies before one may be shared with other segments."""


@dataclass(slots=True)
class Reading:
    """A prompt, read up to some position, piece by piece."""

    slot: int
    prompt: Prompt
    done: int = 0
    """Pieces that were read."""
    key: bytes = b""
    """Of the next piece, if it is a voice."""

    def __post_init__(self) -> None:
        self._know()

    @property
    def ends(self) -> tuple[int, ...]:
        return (*self.prompt.cuts, len(self.prompt.x))

    @property
    def finished(self) -> bool:
        return self.done == len(self.ends)

    @property
    def last(self) -> bool:
        """Whether the next piece is the segment's own words, which nobody shares."""
        return self.done == len(self.prompt.cuts)

    @property
    def piece(self) -> Piece:
        """The next."""
        start = self.ends[self.done - 1] if self.done else 0
        return Piece(self.slot, start, self.prompt.x[start : self.ends[self.done]])

    def advance(self) -> None:
        self.done += 1
        self._know()

    def _know(self) -> None:
        if self.done < len(self.prompt.cuts):
            self.key = Prefixes.key(self.key, self.piece.x)


class Prefill:
    """Reads prompts with one language model, into one cache."""

    def __init__(
        self, language: LanguageModel, cache: Cache, prefixes: Prefixes, positions_max: int = POSITIONS_MAX
    ) -> None:
        """`positions_max`: of one pass; a piece that is longer by itself has a pass of its own."""
        self.language, self.cache, self.prefixes = language, cache, prefixes
        self.positions_max = positions_max
        self.passes = 0
        """So far: who watches sees that it moves."""

    def __call__(self, prompts: Mapping[int, Prompt]) -> dict[int, torch.Tensor]:
        """The state after each prompt, (hidden,), by its slot. A piece that several have is read once."""
        readings = [Reading(slot, prompt) for slot, prompt in prompts.items()]
        states: dict[int, torch.Tensor] = {}
        while readings:
            for batch in self._passes(self._due(readings)):
                pieces = [reading.piece for reading in batch]
                for reading, state in zip(batch, self.language.prefill(pieces, self.cache), strict=True):
                    states[reading.slot] = state
                    self._keep(reading)
                    reading.advance()
                self.passes += 1
            readings = [reading for reading in readings if not reading.finished]
        return states

    def _due(self, readings: Sequence[Reading]) -> list[Reading]:
        """Those whose next piece is to be read now: not one that another of them reads."""
        due, coming = list[Reading](), set[bytes]()
        for reading in readings:
            while not reading.last and (pairs := self.prefixes.get(reading.key)) is not None:
                self.cache.copy_in(reading.slot, reading.piece.start, pairs)
                reading.advance()
            if reading.last:
                due.append(reading)
            elif reading.key not in coming:
                coming.add(reading.key)
                due.append(reading)
        return due

    def _passes(self, readings: Sequence[Reading]) -> Iterator[list[Reading]]:
        batch: list[Reading] = []
        positions = 0
        for reading in readings:
            count = len(reading.piece.x)
            if batch and positions + count > self.positions_max:
                yield batch
                batch, positions = [], 0
            batch.append(reading)
            positions += count
        if batch:
            yield batch

    def _keep(self, reading: Reading) -> None:
        piece = reading.piece
        if not reading.last:
            self.prefixes.put(reading.key, self.cache.copy_out(piece.slot, piece.start, piece.end))
