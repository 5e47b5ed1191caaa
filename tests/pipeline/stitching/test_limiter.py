import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.stitching.limiter import LOOK_AHEAD_S, limit
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
