from functools import cache

import numpy as np
import pytest
import soxr
from hibari import Hibari

from pipeline.arrays import Samples
from pipeline.engines.hibari.vocal_tract import (
    OWN_TEXT,
    PACE_MAX,
    PACE_MIN,
    PITCH_MAX,
    PITCH_MIN,
    RATIO_MAX,
    RATIO_MIN,
    VocalTract,
    Voiceprint,
    estimate,
    vocal_tract,
    voiceprint,
)

RATE_HZ = 24_000
SAID = (
    "I walked along the river until the bridge, and there I waited for an hour. Nobody came. The boats had "
    "gone out early, and only an old man was mending his nets. He looked up, smiled, and asked where I went."
)


@cache
def hibari() -> Hibari:
    return Hibari()


@cache
def said(text: str, ratio: float = 1.0) -> Samples:
    """Model's voice with scaled formants and pitch."""
    samples = hibari()(text, speed=1 / ratio, seed=1)
    return np.asarray(soxr.resample(samples, RATE_HZ, RATE_HZ / ratio), np.float32)


@cache
def printed(text: str, ratio: float = 1.0) -> Voiceprint:
    return voiceprint(said(text, ratio), RATE_HZ)


def own() -> Voiceprint:
    return printed(OWN_TEXT)


@pytest.mark.parametrize("ratio", [0.8, 0.9, 1.0, 1.1])
def test_scaled_voices_are_estimated_by_their_scale(ratio: float) -> None:
    print_ = printed(SAID, ratio)
    assert vocal_tract(print_, own()) == pytest.approx(ratio, abs=0.02)
    assert print_.pitch_hz / own().pitch_hz == pytest.approx(ratio, rel=0.05)


def test_vocal_tract_differences_are_doubled_and_keep_their_order() -> None:
    found = [estimate(printed(SAID, ratio), own()).ratio for ratio in (0.83, 0.86, 0.96, 0.99)]
    assert found == sorted(found)
    assert np.diff(found) == pytest.approx([0.05, 0.2, 0.06], abs=0.03)


def test_microphones_do_not_affect_the_estimate() -> None:
    dull = np.convolve(said(SAID), np.hanning(9) / np.hanning(9).sum(), mode="same").astype(np.float32)
    clear, muffled = (voiceprint(samples, RATE_HZ) for samples in (said(SAID), 0.1 * dull))
    assert vocal_tract(muffled, own()) == pytest.approx(vocal_tract(clear, own()), abs=0.03)


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 44_100])
def test_sample_rates_do_not_affect_the_estimate(rate_hz: int) -> None:
    print_ = voiceprint(soxr.resample(said(SAID), RATE_HZ, rate_hz), rate_hz)
    assert vocal_tract(print_, own()) == pytest.approx(1.0, abs=0.04)


@pytest.mark.parametrize("speed", [0.9, 1.0, 1.1])
def test_pace_follows_playback_speed(speed: float) -> None:
    played = soxr.resample(said(OWN_TEXT), RATE_HZ, RATE_HZ / speed)
    assert estimate(voiceprint(played, RATE_HZ), own()).pace == pytest.approx(speed, abs=0.04)


@pytest.mark.parametrize("kind", ["noise", "a tone", "a click"])
def test_recordings_without_speech_give_voices_within_bounds(kind: str) -> None:
    samples = np.zeros(RATE_HZ, np.float32)
    samples[100] = 1.0
    if kind == "noise":
        samples = np.random.default_rng(1).standard_normal(RATE_HZ).astype(np.float32)
    if kind == "a tone":
        samples = np.sin(np.arange(RATE_HZ) / 5).astype(np.float32)
    voice = estimate(voiceprint(samples, RATE_HZ), own())
    assert RATIO_MIN <= voice.ratio <= RATIO_MAX
    assert PACE_MIN <= voice.pace <= PACE_MAX
    assert PITCH_MIN <= voice.pitch <= PITCH_MAX


def test_equal_recordings_give_equal_voices() -> None:
    first, second = (estimate(voiceprint(said(SAID), RATE_HZ), own()) for _ in range(2))
    assert first == second
    assert isinstance(first, VocalTract)
