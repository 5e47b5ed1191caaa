"""Look-ahead limiter for the few spans whose true peak would exceed the ceiling after the voice's gain.

The required gain at each sample is computed from the signal oversampled four times (as BS.1770-5 annex 2
measures true peaks), held for the look-ahead on both sides, and smoothed by a raised cosine of the same
width. So the required gain is always met, and it changes too slowly to be heard. libebur128 verifies the
result.
"""

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import soxr

from pipeline.arrays import Samples
from pipeline.stitching.loudness import true_peak

Floats = npt.NDArray[np.float32]

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


def _smoothed(needed: Floats, width: int) -> Floats:
    """Smooth the minimum gain within `width` on either side by a raised cosine of that width."""
    held = sliding_minimum(np.pad(needed, 2 * width, mode="edge"), 2 * width + 1)
    window = np.hanning(2 * width + 3)[1:-1].astype(np.float32)
    smoothed = convolved(1 - held, window / window.sum())
    smoothed[smoothed < _SILENT] = 0  # rounding of the transform, far from any peak
    gain: Floats = np.float32(1) - smoothed.astype(np.float32)
    return gain


def sliding_minimum(values: Floats, width: int) -> Floats:
    """Minimum of each `width` values in a row: (n - width + 1,)."""
    reach = 1
    while 2 * reach <= width:
        values = np.minimum(values[:-reach], values[reach:])
        reach *= 2
    rest = width - reach
    return np.minimum(values[: len(values) - rest], values[rest:])


def convolved(values: Floats, window: Floats) -> Floats:
    """Convolve where the whole window is within the values, by overlap-add: (n - len(window) + 1,).

    The result is that of `scipy.signal.oaconvolve`, bit for bit, whose import takes 0.4 s and 50 MB.
    """
    from scipy.fft import irfft, rfft

    count, overlap = len(values), len(window) - 1
    size = _transform_size(count, overlap)
    step = size - overlap
    steps = 1 if step >= count else math.ceil((count + 1) / step)
    if steps > 1 and step * steps < count + overlap:
        steps += 1
    blocks = np.pad(values, (0, steps * step - count)).reshape(steps, step)
    made = irfft(rfft(blocks, size) * rfft(window, size), size)
    own = made[:, :step]
    own[1:, :overlap] += made[:-1, step:]
    result: Floats = own.reshape(-1)[overlap:count]
    return result


def _transform_size(count: int, overlap: int) -> int:
    """Size of blocks that take the fewest operations, or of a single one, as `oaconvolve` chooses it."""
    from scipy.fft import next_fast_len
    from scipy.special import lambertw

    if overlap + 1 < count / 2:
        best = -overlap * lambertw(-1 / (2 * math.e * overlap), k=-1).real
        size = int(next_fast_len(math.ceil(best)))
        if size < count:
            return size
    return int(next_fast_len(count + overlap, real=True))
