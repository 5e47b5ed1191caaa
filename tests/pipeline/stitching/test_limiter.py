import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.stitching.limiter import LOOK_AHEAD_S, convolved, limit, sliding_minimum
from pipeline.stitching.loudness import true_peak

RATE_HZ = 24_000


@settings(deadline=None)
@given(st.integers(0, 2**32), st.floats(0.01, 4.0), st.integers(1, 8000))
def test_true_peaks_stay_below_the_ceiling(seed: int, amplitude: float, length: int) -> None:
    samples = (amplitude * np.random.default_rng(seed).standard_normal(length)).astype(np.float32)
    limited = limit(samples, RATE_HZ, 0.891)
    assert len(limited) == length
    assert true_peak(limited, RATE_HZ) <= 0.891 * (1 + 1e-6)


def test_only_samples_near_peaks_are_changed() -> None:
    samples = (0.3 * np.sin(np.arange(RATE_HZ) / 20)).astype(np.float32)
    samples[12_000] = 1.5
    limited = limit(samples, RATE_HZ, 0.891)
    reach = 2 * round(LOOK_AHEAD_S * RATE_HZ) + 16
    np.testing.assert_array_equal(limited[: 12_000 - reach], samples[: 12_000 - reach])
    np.testing.assert_array_equal(limited[12_000 + reach :], samples[12_000 + reach :])
    assert abs(limited[12_000]) > 0.8, "turned down no further than it has to be"


def test_samples_below_the_ceiling_are_unchanged() -> None:
    samples = (0.5 * np.sin(np.arange(5000) / 20)).astype(np.float32)
    np.testing.assert_array_equal(limit(samples, RATE_HZ, 0.891), samples)


@pytest.mark.parametrize("width", [3, 64, 385, 769])
@pytest.mark.parametrize("more", [0, 1, 2, 383, 385, 5_000, 100_001])
def test_filters_are_those_of_scipy_bit_for_bit(width: int, more: int) -> None:
    import scipy.ndimage
    import scipy.signal  # takes half a second, so not where tests are collected

    values = np.random.default_rng(width).random(width + more).astype(np.float32) ** 4
    window = np.hanning(width + 2)[1:-1].astype(np.float32)
    expected = scipy.signal.oaconvolve(values, window, mode="valid")
    assert convolved(values, window).tobytes() == expected.tobytes()
    centre = width // 2
    expected = scipy.ndimage.minimum_filter1d(values, width)[centre : centre + more + 1]
    assert sliding_minimum(values, width).tobytes() == expected.tobytes()
