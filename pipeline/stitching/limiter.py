"""Look-ahead limiter for the few spans whose true peak would exceed the ceiling after the voice's gain.

The required gain at each sample is computed from the signal oversampled four times (as BS.1770-5 annex 2
measures true peaks), held for the look-ahead on both sides, and smoothed by a raised cosine of the same
width. So the required gain is always met, and it changes too slowly to be heard. libebur128 verifies the
result.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import soxr

from pipeline.arrays import Samples
from pipeline.stitching.loudness import true_peak

LOOK_AHEAD_S = 0.008
_OVERSAMPLING = 4
_LOUD = 0.6
"""Share of the ceiling below which no relevant inter-sample peak occurs."""

_SILENT = 1e-6


def limit(samples: Samples, sample_rate_hz: int, ceiling: float) -> Samples:
    """Limit the true peak of samples to the ceiling.

    Args:
        samples: (n,), mono.
        ceiling: linear, positive.

    Returns:
        (n,), aligned with the input; untouched further than twice the look-ahead from a peak.
    """
    width = max(1, round(LOOK_AHEAD_S * sample_rate_hz))
    limited = samples.copy()
    for start, end in _loud(samples, ceiling, reach=4 * width):
        limited[start:end] = _limited(samples[start:end], sample_rate_hz, ceiling, width)
    return limited


def _loud(samples: Samples, ceiling: float, *, reach: int) -> Iterator[tuple[int, int]]:
    """Ranges to limit: from `reach` before the first loud sample to `reach` after the last."""
    loud = np.flatnonzero(np.abs(samples) > _LOUD * ceiling)
    if len(loud):
        for run in np.split(loud, np.flatnonzero(np.diff(loud) > 2 * reach) + 1):
            yield max(0, int(run[0]) - reach), min(len(samples), int(run[-1]) + reach)


def _limited(samples: Samples, sample_rate_hz: int, ceiling: float, width: int) -> Samples:
    oversampled = soxr.resample(samples, sample_rate_hz, _OVERSAMPLING * sample_rate_hz)
    peaks = np.abs(np.resize(oversampled, _OVERSAMPLING * len(samples)))
    for step in range(_OVERSAMPLING):  # a maximum over four columns, much faster than along an axis
        np.maximum(peaks[::_OVERSAMPLING], peaks[step::_OVERSAMPLING], out=peaks[::_OVERSAMPLING])
    highest = np.maximum(np.maximum(peaks[::_OVERSAMPLING], np.abs(samples)), np.float32(ceiling))
    needed = (ceiling / highest).astype(np.float32)
    limited = samples * _smoothed(needed, width)
    measured = true_peak(limited, sample_rate_hz)
    return limited * np.float32(min(1.0, ceiling / measured)) if measured > ceiling else limited


def _smoothed(needed: npt.NDArray[np.float32], width: int) -> npt.NDArray[np.float32]:
    """Smooth the minimum gain within `width` on either side by a raised cosine of that width."""
    import scipy.ndimage
    import scipy.signal  # with scipy.stats it takes two fifths of a worker's start

    held = scipy.ndimage.minimum_filter1d(np.pad(needed, 2 * width, mode="edge"), 2 * width + 1)
    window = np.hanning(2 * width + 3)[1:-1].astype(np.float32)
    smoothed = scipy.signal.oaconvolve(1 - held[width:-width], window / window.sum(), mode="valid")
    smoothed[smoothed < _SILENT] = 0  # rounding of the transform, far from any peak
    gain: npt.NDArray[np.float32] = np.float32(1) - smoothed.astype(np.float32)
    return gain
