"""Tests of the floor that fills pauses."""

import numpy as np
import pytest

from bench.harness import recordings
from pipeline.arrays import Samples
from pipeline.stitching.room_tone import room_tone

RATE_HZ = 24_000


def spoken(floor: float) -> Samples:
    """Four seconds with two of sound, over a floor."""
    rng = np.random.default_rng(1)
    samples = rng.normal(0, 1, 4 * RATE_HZ) * floor
    samples[: 2 * RATE_HZ] += rng.normal(0, 0.1, 2 * RATE_HZ)
    return samples.astype(np.float32)


def test_the_floor_has_its_level_and_no_steps() -> None:
    tone = room_tone(spoken(0.001), RATE_HZ)
    assert tone is not None
    made = tone.samples(10 * RATE_HZ, 5)
    assert len(made) == 10 * RATE_HZ
    levels = np.sqrt(np.mean(np.square(made.reshape(-1, RATE_HZ // 10)), axis=1))
    assert levels.min() > 0.0008
    assert levels.max() < 0.00125
    assert np.abs(np.diff(made)).max() < 1.3 * np.abs(np.diff(tone.source)).max()
    correlation = np.correlate(made[:RATE_HZ], made[RATE_HZ : 2 * RATE_HZ])[0] / (RATE_HZ * 1e-6)
    assert abs(correlation) < 0.1, "it does not repeat itself"
    assert np.array_equal(made, tone.samples(10 * RATE_HZ, 5))
    assert not np.array_equal(made, tone.samples(10 * RATE_HZ, 6))


@pytest.mark.parametrize("floor", [0.0, 0.00005, 0.05])
def test_a_silent_or_loud_floor_is_none(floor: float) -> None:
    assert room_tone(spoken(floor), RATE_HZ) is None


def test_speech_without_pauses_has_no_floor() -> None:
    decaying = 0.1 * np.exp(-np.arange(4 * RATE_HZ) / RATE_HZ * 4)
    assert room_tone(decaying.astype(np.float32), RATE_HZ) is None
    assert room_tone(np.ones(100, np.float32), RATE_HZ) is None


def test_the_default_engine_is_silent_in_pauses() -> None:
    assert room_tone(recordings.speech(), RATE_HZ) is None
