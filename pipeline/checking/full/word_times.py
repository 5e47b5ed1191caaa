"""Times of the words of a segment's lines, from an alignment with recognised words."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from pipeline.arrays import Samples
from pipeline.checking.full.alignment import Alignment, Block
from pipeline.checking.full.thresholds import THRESHOLDS, Thresholds
from pipeline.checking.records import WordTime

SAMPLE_RATE_HZ = 16_000
_FRAME = 160
_FRAME_S = _FRAME / SAMPLE_RATE_HZ
_SILENT_DB = -30.0
"""Level of a silent frame against the take's speech."""
_PAUSE_FRAMES = 8
"""Frames of silence that are a pause between words; closures of plosives are shorter."""
_WORD_S = 0.06
"""Least length of a word whose pause is removed."""

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


def without_pauses(words: Sequence[WordTime], samples: Samples) -> tuple[WordTime, ...]:
    """Remove pauses from the starts and ends of words: recognisers count them to the words around.

    Args:
        samples: the take, (n,), mono, at 16 kHz.
    """
    silent = _silent(samples)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], silent.astype(np.int8), [0]])))
    silences = edges.reshape(-1, 2)
    pauses = silences[silences[:, 1] - silences[:, 0] >= _PAUSE_FRAMES] * _FRAME_S
    found: list[tuple[float, float]] = [(first, last) for first, last in pauses.tolist()]
    return tuple(_trimmed(word, found) for word in words)


def _trimmed(word: WordTime, pauses: Sequence[tuple[float, float]]) -> WordTime:
    """A word without the pauses that overlap its ends, or that lie within its first half."""
    start_s, end_s = word.start_s, word.end_s
    begin = bisect_right(pauses, start_s, key=lambda pause: pause[1])
    for first_s, last_s in pauses[begin:]:
        if first_s >= word.end_s:
            break
        if last_s >= end_s - _WORD_S:
            end_s = min(end_s, max(first_s, start_s + _WORD_S))
        elif first_s < (word.start_s + word.end_s) / 2:
            start_s = last_s
    return replace(word, start_s=round(start_s, 3), end_s=round(max(start_s, end_s), 3))


def _silent(samples: Samples) -> npt.NDArray[np.bool_]:
    """Silence per frame of 10 ms."""
    frames = np.pad(samples, (0, -len(samples) % _FRAME)).reshape(-1, _FRAME)
    levels = 10 * np.log10(np.mean(np.square(frames, dtype=np.float64), axis=1) + 1e-10)
    speech_db = np.percentile(levels, 75) if len(levels) else 0.0
    found: npt.NDArray[np.bool_] = levels < speech_db + _SILENT_DB
    return found
