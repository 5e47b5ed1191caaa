import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.arrays import Samples
from pipeline.engines.protocol import Utterance
from pipeline.errors import EngineError
from pipeline.planning.records import Span
from pipeline.stitching.loudness import (
    SILENCE,
    LoudnessTargets,
    gains_db,
    integrated,
    loudness,
    measure,
    spans,
    true_peak,
)

RATE_HZ = 24_000


def noise(seconds: float, amplitude: float, seed: int = 1) -> Samples:
    white = np.random.default_rng(seed).standard_normal(round(seconds * RATE_HZ))
    return (amplitude * white).astype(np.float32)


def span(lufs: float | None, peak: float, samples: int = RATE_HZ) -> Span:
    return Span(0, samples, 0, 1, "words", lufs, peak)


def test_loudness_of_a_full_scale_sine_matches_bs1770() -> None:
    sine = np.sin(2 * np.pi * 997 * np.arange(5 * 48_000) / 48_000).astype(np.float32)
    lufs, peak = measure(sine, 48_000)
    assert lufs == pytest.approx(-3.01, abs=0.1)
    assert peak == pytest.approx(1.0, abs=0.01)


def test_true_peaks_are_found_between_samples() -> None:
    sine = np.sin(2 * np.pi * 0.25 * np.arange(4800) + np.pi / 4).astype(np.float32)
    assert np.abs(sine).max() < 0.71
    assert true_peak(sine, 48_000) > 0.95


@pytest.mark.parametrize("samples", [np.zeros(0), np.zeros(RATE_HZ), np.full(RATE_HZ, 1e-6), np.ones(100)])
def test_silent_or_short_samples_have_no_loudness(samples: Samples) -> None:
    lufs, peak = measure(samples.astype(np.float32), RATE_HZ)
    assert lufs is None
    assert math.isfinite(peak)


def test_spans_exclude_digital_silence_and_retain_all_samples() -> None:
    quiet = np.full(500, SILENCE / 2, np.float32)
    words = noise(1, 0.1)
    joined, (first, second) = spans(
        [
            Utterance(0, "one", np.concatenate([quiet, words, quiet])),
            Utterance(3, "two", words, lines=2),
        ],
        RATE_HZ,
    )
    assert len(joined) == 1000 + 2 * RATE_HZ
    assert (first.start, first.samples, first.line) == (500, RATE_HZ, 0)
    assert (second.start, second.samples, second.line, second.lines) == (1000 + RATE_HZ, RATE_HZ, 3, 2)
    assert (first.lufs, first.true_peak) == measure(words, RATE_HZ)
    np.testing.assert_array_equal(joined[first.start : first.start + first.samples], words)


def test_silent_utterances_keep_their_length() -> None:
    _, (only,) = spans([Utterance(0, "…", np.zeros(300, np.float32))], RATE_HZ)
    assert (only.start, only.samples, only.lufs, only.true_peak) == (0, 300, None, 0.0)


def test_segments_without_utterances_have_no_samples() -> None:
    samples, none = spans([], RATE_HZ)
    assert samples.dtype == np.float32
    assert len(samples) == len(none) == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_non_finite_samples_raise_engine_errors(bad: float) -> None:
    with pytest.raises(EngineError, match="line 7"):
        spans([Utterance(7, "words", np.array([0.1, bad], np.float32))], RATE_HZ)


def test_loudness_from_parts_equals_the_whole() -> None:
    parts = [noise(3, amplitude, seed) for seed, amplitude in enumerate([0.05, 0.1, 0.02, 0.0001])]
    together, _ = measure(np.concatenate(parts), RATE_HZ)
    assert loudness([span(*measure(part, RATE_HZ), len(part)) for part in parts]) == pytest.approx(
        together, abs=0.2
    )


def test_voices_are_equally_loud() -> None:
    voices = {"quiet": [span(-35.0, 0.05)], "loud": [span(-15.0, 0.4), span(None, 0.1, 10)]}
    assert gains_db(voices, LoudnessTargets()) == pytest.approx({"quiet": 16.0, "loud": -4.0})


def test_peaky_voices_lower_all_voices_before_limiting() -> None:
    gains = gains_db({"peaky": [span(-25.0, 1.0)], "even": [span(-25.0, 0.1)]}, LoudnessTargets())
    assert gains == pytest.approx({"peaky": 5.0, "even": 5.0}), "1 dB under full scale, 6 of them limited"


def test_unmeasurable_voices_get_the_mean_gain() -> None:
    assert (
        gains_db({"one": [span(-29.0, 0.1)], "no": [span(None, 0.1, 900)]}, LoudnessTargets())["no"] == 10.0
    )
    assert gains_db({"no": [span(None, 0.1, 900)]}, LoudnessTargets()) == {"no": 0.0}


@given(st.lists(st.tuples(st.floats(-69, 0), st.floats(0, 8), st.integers(1, 10**7)), min_size=1, max_size=9))
def test_gains_are_finite_and_bounded(measured: list[tuple[float, float, int]]) -> None:
    targets = LoudnessTargets()
    voices = {str(i): [span(lufs, peak, samples)] for i, (lufs, peak, samples) in enumerate(measured)}
    for gain in gains_db(voices, targets).values():
        assert -25.1 <= gain <= targets.gain_max_db


def test_no_parts_have_no_loudness() -> None:
    assert integrated([]) is None


def test_gains_are_stepped_so_that_an_edit_leaves_them() -> None:
    book = [span(-25.0 - i % 7, 0.1, 9000) for i in range(2000)]
    edited = [*book[:-1], span(-20.0, 0.1, 9500)]
    assert gains_db({"A": book}, LoudnessTargets()) == gains_db({"A": edited}, LoudnessTargets())
    assert gains_db({"A": [span(-25.03, 0.1)]}, LoudnessTargets()) == {"A": 6.0}
