"""A look-ahead limiter for the few spans whose true peak a voice's gain would lift over the ceiling.

The gain needed at each sample is read off the signal oversampled four times (as BS.1770-5 annex 2 measures
true peaks), held for the look-ahead on both sides, and smoothed by a raised cosine that reaches no further:
what is needed is always met, and the gain moves slowly enough not to be heard. libebur128 has the last word.
"""

import numpy as np
import soxr

from pipeline.engines.protocol import Samples
from pipeline.loudness import true_peak

LOOK_AHEAD_S = 0.008
_OVERSAMPLING = 4


def limit(samples: Samples, sample_rate_hz: int, ceiling: float) -> Samples:
    """The samples with their true peak at or under the ceiling.

    Args:
        samples: (n,), mono.
        ceiling: linear, positive.

    Returns:
        (n,), aligned with the input; untouched further than twice the look-ahead from a peak.
    """
    width = max(1, round(LOOK_AHEAD_S * sample_rate_hz))
    oversampled = soxr.resample(samples, sample_rate_hz, _OVERSAMPLING * sample_rate_hz)
    peaks = np.abs(np.resize(oversampled, (len(samples), _OVERSAMPLING))).max(axis=1)
    needed = np.minimum(1.0, ceiling / np.maximum(np.maximum(peaks, np.abs(samples)), ceiling))
    limited = samples * _smoothed(needed, width).astype(np.float32)
    measured = true_peak(limited, sample_rate_hz)
    return limited * np.float32(min(1.0, ceiling / measured)) if measured > ceiling else limited


def _smoothed(needed: Samples, width: int) -> Samples:
    """The lowest gain within `width` on either side, under a raised cosine as wide."""
    held = _held(np.pad(needed, 2 * width, mode="edge"), width)
    window = np.hanning(2 * width + 3)[1:-1]
    return np.convolve(held, window / window.sum(), mode="valid")


def _held(values: Samples, width: int) -> Samples:
    """The minimum of each run of 2 * width + 1 values, by doubling the run: log2 passes."""
    runs, length = values, 1
    while 2 * length <= 2 * width + 1:
        runs, length = np.minimum(runs[:-length], runs[length:]), 2 * length
    rest = 2 * width + 1 - length
    return np.minimum(runs[: len(runs) - rest], runs[rest:]) if rest else runs
