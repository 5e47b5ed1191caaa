"""Refinement of word times: pauses in the sound, and the lengths of the words.

A recogniser's times are those of its attention. They count pauses to the words around them, and a boundary
inside a phrase may be a syllable off. Measured against hibari's durations in `bench.quality`.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from pipeline.arrays import Samples, runs_of
from pipeline.checking.records import WordTime

SAMPLE_RATE_HZ = 16_000
_FRAME = 160
_FRAME_S = _FRAME / SAMPLE_RATE_HZ
_SILENT_DB = -30.0
"""Level of a silent frame against the take's speech."""
_SILENCE_S = 0.08
"""Shortest silence that is no part of a word's ends; closures of plosives are shorter."""
_PAUSE_S = 0.15
"""Shortest pause at which a word ends and another begins."""
_REACH_S = 0.4
"""Longest distance of a boundary from its pause."""
_TAIL_S = 0.2
"""Longest sound before a silence that belongs to the word before."""
_WORD_S = 0.06
"""Least length of a word whose silence is removed."""
_JOINED_S = 0.05
"""Gap below which two words are one phrase."""
_PULL = 0.3
"""Share by which a boundary moves towards the one that the words' letters suggest."""
_PASSES = 2

Pause = tuple[float, float]
"""Start and end in seconds."""


def refined(words: Sequence[WordTime], lines: Sequence[str], samples: Samples) -> tuple[WordTime, ...]:
    """Refine the times of a take's words.

    Args:
        lines: texts of the lines.
        samples: the take, (n,), mono, at 16 kHz.
    """
    silences = _silences(samples)
    found = [_trimmed(word, silences) for word in words]
    found = _snapped(found, [pause for pause in silences if pause[1] - pause[0] >= _PAUSE_S])
    letters = [[len(word) for word in line.split()] for line in lines]
    for _ in range(_PASSES):
        found = _balanced(found, letters)
    return tuple(
        replace(word, start_s=round(word.start_s, 3), end_s=round(max(word.start_s, word.end_s), 3))
        for word in found
    )


def _trimmed(word: WordTime, silences: Sequence[Pause]) -> WordTime:
    """A word without the silences that overlap its end, or that lie close behind its start."""
    start_s, end_s = word.start_s, word.end_s
    begin = bisect_right(silences, start_s, key=lambda pause: pause[1])
    for first_s, last_s in silences[begin:]:
        if first_s >= word.end_s:
            break
        if last_s >= end_s - _WORD_S:
            end_s = min(end_s, max(first_s, start_s + _WORD_S))
        elif first_s < word.start_s + _TAIL_S:
            start_s = last_s
    return replace(word, start_s=start_s, end_s=max(start_s, end_s))


def _snapped(words: Sequence[WordTime], pauses: Sequence[Pause]) -> list[WordTime]:
    """Move the ends of the words around each pause to its edges."""
    found = list(words)
    middles = [(word.start_s + word.end_s) / 2 for word in words]
    for first_s, last_s in pauses:
        after = bisect_right(middles, last_s)
        if after < len(found) and abs(found[after].start_s - last_s) < _REACH_S:
            found[after] = replace(found[after], start_s=min(last_s, found[after].end_s))
        if after and abs(found[after - 1].end_s - first_s) < _REACH_S:
            found[after - 1] = replace(found[after - 1], end_s=max(first_s, found[after - 1].start_s))
    return found


def _balanced(words: Sequence[WordTime], letters: Sequence[Sequence[int]]) -> list[WordTime]:
    """Move boundaries inside phrases towards a division by letters of the two words around them."""
    found = list(words)
    for index in range(1, len(words)):
        before, word = words[index - 1], words[index]
        apart_s = word.start_s - before.end_s
        if before.line != word.line or apart_s > _JOINED_S or word.end_s <= before.start_s:
            continue
        first, second = letters[word.line][before.word], letters[word.line][word.word]
        divided_s = before.start_s + (word.end_s - before.start_s) * first / (first + second)
        at_s = word.start_s + _PULL * (divided_s - word.start_s)
        found[index] = replace(found[index], start_s=at_s)
        found[index - 1] = replace(found[index - 1], end_s=at_s)
    return found


def _silences(samples: Samples) -> list[Pause]:
    """Silences of a take, in order."""
    frames = np.pad(samples, (0, -len(samples) % _FRAME)).reshape(-1, _FRAME)
    levels = 10 * np.log10(np.mean(np.square(frames, dtype=np.float64), axis=1) + 1e-10)
    speech_db = np.percentile(levels, 75) if len(levels) else 0.0
    silent: npt.NDArray[np.bool_] = levels < speech_db + _SILENT_DB
    return [
        (first * _FRAME_S, last * _FRAME_S)
        for first, last in runs_of(silent).tolist()
        if (last - first) * _FRAME_S >= _SILENCE_S
    ]
