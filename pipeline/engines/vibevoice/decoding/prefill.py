"""Batched prefill on a CPU: several prompts per pass, with voices copied from the prefix cache."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch

from pipeline.engines.vibevoice.decoding.prefix_cache import PrefixCache
from pipeline.engines.vibevoice.model.kv_cache import KvCache
from pipeline.engines.vibevoice.model.language_model import LanguageModel, PromptPiece

POSITIONS_MAX = 1024
"""Most positions of a pass. GEMMs run at full speed from here on; more would only need more memory."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """Prompt of a segment."""

    x: torch.Tensor
    """(positions, hidden), on the model's device."""
    cuts: tuple[int, ...]
    """Positions after each voice, ascending; the prefix up to one can be shared with other segments."""


@dataclass(slots=True)
class PromptProgress:
    """Prefill progress of a prompt, piece by piece."""

    slot: int
    prompt: Prompt
    done: int = 0
    """Pieces already in the KV cache."""
    key: bytes = b""
    """Key of the next piece in the prefix cache, if it is a voice."""

    def __post_init__(self) -> None:
        self._update_key()

    @property
    def ends(self) -> tuple[int, ...]:
        """Position after each piece."""
        return (*self.prompt.cuts, len(self.prompt.x))

    @property
    def finished(self) -> bool:
        """True once every piece is in the KV cache."""
        return self.done == len(self.ends)

    @property
    def last(self) -> bool:
        """True if the next piece is the last: the segment's own words, which are not shared."""
        return self.done == len(self.prompt.cuts)

    @property
    def piece(self) -> PromptPiece:
        """Next piece."""
        start = self.ends[self.done - 1] if self.done else 0
        return PromptPiece(self.slot, start, self.prompt.x[start : self.ends[self.done]])

    def advance(self) -> None:
        """Count the next piece as done."""
        self.done += 1
        self._update_key()

    def _update_key(self) -> None:
        if self.done < len(self.prompt.cuts):
            self.key = PrefixCache.key(self.key, self.piece.x)


class Prefill:
    """Runs batched prefill of one language model into one KV cache."""

    def __init__(
        self,
        language: LanguageModel,
        cache: KvCache,
        prefix_cache: PrefixCache,
        positions_max: int = POSITIONS_MAX,
    ) -> None:
        """
        Args:
            positions_max: most positions of a pass; a longer piece has a pass of its own.
        """
        self.language, self.cache, self.prefix_cache = language, cache, prefix_cache
        self.positions_max = positions_max
        self.passes = 0
        """Passes so far, by which a stalled device is detected."""

    def __call__(self, prompts: Mapping[int, Prompt]) -> dict[int, torch.Tensor]:
        """Prefill prompts, by slot. A piece that several share is computed once.

        Returns:
            The hidden state (hidden,) after each prompt, by slot.
        """
        prefills = [PromptProgress(slot, prompt) for slot, prompt in prompts.items()]
        states: dict[int, torch.Tensor] = {}
        while prefills:
            for batch in self._batches(self._due(prefills)):
                pieces = [progress.piece for progress in batch]
                for progress, state in zip(batch, self.language.prefill(pieces, self.cache), strict=True):
                    states[progress.slot] = state
                    self._cache_piece(progress)
                    progress.advance()
                self.passes += 1
            prefills = [progress for progress in prefills if not progress.finished]
        return states

    def _due(self, prefills: Sequence[PromptProgress]) -> list[PromptProgress]:
        """Select the prompts whose next piece is computed now; a piece that several share is taken once."""
        due, coming = list[PromptProgress](), set[bytes]()
        for progress in prefills:
            while not progress.last and (pairs := self.prefix_cache.get(progress.key)) is not None:
                self.cache.copy_in(progress.slot, progress.piece.start, pairs)
                progress.advance()
            if progress.last:
                due.append(progress)
            elif progress.key not in coming:
                coming.add(progress.key)
                due.append(progress)
        return due

    def _batches(self, prefills: Sequence[PromptProgress]) -> Iterator[list[PromptProgress]]:
        batch: list[PromptProgress] = []
        positions = 0
        for progress in prefills:
            count = len(progress.piece.x)
            if batch and positions + count > self.positions_max:
                yield batch
                batch, positions = [], 0
            batch.append(progress)
            positions += count
        if batch:
            yield batch

    def _cache_piece(self, progress: PromptProgress) -> None:
        piece = progress.piece
        if not progress.last:
            self.prefix_cache.put(progress.key, self.cache.copy_out(piece.slot, piece.start, piece.end))
