"""Times of the words of a segment's lines, from an alignment with recognised words."""

from collections.abc import Iterator, Sequence

from pipeline.checking.full.alignment import Alignment, Block
from pipeline.checking.full.thresholds import THRESHOLDS, Thresholds
from pipeline.checking.records import WordTime

_Timed = tuple[float, float, float | None]
"""Start, end (s) and confidence of a token."""


def word_times(
    alignment: Alignment, lines: Sequence[str], duration_s: float, thresholds: Thresholds = THRESHOLDS
) -> tuple[WordTime, ...]:
    """Times of all words, in order; words without a sound of their own share their neighbours' gap.

    Args:
        lines: the texts of the lines.
        duration_s: length of the take.
    """
    timed: list[_Timed] = []
    for block in alignment.blocks:
        timed += _of_block(alignment, block, duration_s, thresholds)
    by_word: dict[tuple[int, int], list[_Timed]] = {}
    for token, time in zip(alignment.script, timed, strict=True):
        by_word.setdefault((token.line, token.word), []).append(time)
    return tuple(_words(by_word, lines))


def _words(by_word: dict[tuple[int, int], list[_Timed]], lines: Sequence[str]) -> Iterator[WordTime]:
    at_s = 0.0
    for line, text in enumerate(lines):
        for word in range(len(text.split())):
            parts = by_word.get((line, word))
            if parts is None:  # punctuation alone
                yield WordTime(line, word, at_s, at_s, None)
                continue
            known = [part[2] for part in parts if part[2] is not None]
            confidence = min(known) if len(known) == len(parts) else None
            start_s, at_s = max(at_s, parts[0][0]), max(at_s, parts[-1][1])
            yield WordTime(line, word, round(start_s, 3), round(at_s, 3), confidence and round(confidence, 2))


def _of_block(
    alignment: Alignment, block: Block, duration_s: float, thresholds: Thresholds
) -> Iterator[_Timed]:
    """Times of a block's script tokens."""
    count, heard = block.last - block.first, block.heard_last - block.heard_first
    if count == heard:
        for index in range(block.heard_first, block.heard_last):
            word = alignment.words[alignment.heard[index].word]
            yield word.start_s, word.end_s, word.confidence * block.likeness
        return
    start_s = alignment.start_s(block.heard_first) if heard else alignment.end_s(block.heard_first)
    end_s = alignment.end_s(block.heard_last) if heard else _next_start_s(alignment, block, duration_s)
    confidence = block.likeness if block.likeness >= thresholds.alike_min else None
    weights = [max(1, len(token.text)) for token in alignment.script[block.first : block.last]]
    total, passed = sum(weights), 0
    for weight in weights:
        first_s = start_s + (end_s - start_s) * passed / total
        passed += weight
        yield first_s, start_s + (end_s - start_s) * passed / total, confidence


def _next_start_s(alignment: Alignment, block: Block, duration_s: float) -> float:
    if block.heard_last < len(alignment.heard):
        return alignment.start_s(block.heard_last)
    return duration_s
