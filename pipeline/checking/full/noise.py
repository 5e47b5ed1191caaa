"""Noise and music: loud sound without speech, in its place or in the pauses of a stretch of speech."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from pipeline.arrays import Samples, runs_of
from pipeline.checking.full import speech
from pipeline.checking.full.thresholds import Thresholds
from pipeline.checking.records import Finding

_STEP = 8
"""Windows between stretches: a quarter of a second."""
_QUIETEST = 2
"""Percentile of a stretch's levels that is its floor."""


def findings(
    samples: Samples, probabilities: npt.NDArray[np.float32], thresholds: Thresholds
) -> Iterator[Finding]:
    """Find sound that is no speech: instead of it, or under it.

    Args:
        samples: (n,), mono, at 16 kHz.
        probabilities: speech per window.
    """
    if not len(samples):
        return
    levels_db = _levels_db(samples)
    speechless = (probabilities < thresholds.noise_probability) & (levels_db > thresholds.noise_db)
    for start, end in runs_of(_smoothed(speechless)).tolist():
        length_s = (end - start) * speech.WINDOW_S
        if length_s > thresholds.noise_s:
            start_s, end_s = round(start * speech.WINDOW_S, 2), round(end * speech.WINDOW_S, 2)
            yield Finding("noise", None, start_s, end_s, round(length_s, 2), thresholds.noise_s, True)
    yield from _under_speech(levels_db, thresholds)


def _under_speech(levels_db: npt.NDArray[np.float64], thresholds: Thresholds) -> Iterator[Finding]:
    """Find the stretch whose quietest moments are the loudest, if they are too loud."""
    count = round(thresholds.floor_s / speech.WINDOW_S)
    if len(levels_db) < count:
        return
    stretches = np.lib.stride_tricks.sliding_window_view(levels_db, count)[::_STEP]
    floors = np.percentile(stretches, _QUIETEST, axis=1)
    loudest = int(np.argmax(floors))
    if floors[loudest] > thresholds.floor_db:
        start_s = round(loudest * _STEP * speech.WINDOW_S, 2)
        value = round(float(floors[loudest]), 1)
        yield Finding("noise", None, start_s, start_s + thresholds.floor_s, value, thresholds.floor_db, True)


def _levels_db(samples: Samples) -> npt.NDArray[np.float64]:
    """Level of each window against the take's louder half."""
    padded = np.pad(samples, (0, -len(samples) % speech.WINDOW)).reshape(-1, speech.WINDOW)
    levels = 10 * np.log10(np.mean(np.square(padded, dtype=np.float64), axis=1) + 1e-10)
    found: npt.NDArray[np.float64] = levels - np.percentile(levels, 75)
    return found


def _smoothed(windows: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Majority of five windows around each."""
    found: npt.NDArray[np.bool_] = np.convolve(windows, np.ones(5), "same") > 2
    return found
