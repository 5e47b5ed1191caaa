"""Tests of refined word times."""

import numpy as np

from pipeline.arrays import Samples
from pipeline.checking.full.word_refinement import SAMPLE_RATE_HZ, refined
from pipeline.checking.records import WordTime

LINES = ("one two three",)


def sound(*ranges: tuple[float, float], length_s: float = 4.0) -> Samples:
    """Noise in these seconds, silence elsewhere."""
    samples = np.zeros(round(length_s * SAMPLE_RATE_HZ), np.float32)
    for start_s, end_s in ranges:
        part = slice(round(start_s * SAMPLE_RATE_HZ), round(end_s * SAMPLE_RATE_HZ))
        samples[part] = np.random.default_rng(0).normal(0, 0.1, part.stop - part.start)
    return samples


def times(*given: tuple[float, float]) -> list[WordTime]:
    return [WordTime(0, i, start_s, end_s, 0.9) for i, (start_s, end_s) in enumerate(given)]


def edges(found: tuple[WordTime, ...]) -> list[tuple[float, float]]:
    return [(word.start_s, word.end_s) for word in found]


def test_pauses_belong_to_no_word() -> None:
    samples = sound((0.5, 1.0), (2.0, 2.6), (3.0, 3.5))
    assert edges(refined(times((0.0, 1.1), (1.1, 2.7), (2.7, 4.0)), LINES, samples)) == [
        (0.5, 1.0),
        (2.0, 2.6),
        (3.0, 3.5),
    ]


def test_a_late_start_moves_to_the_end_of_the_pause() -> None:
    samples = sound((0.0, 1.0), (2.0, 4.0))
    found = refined(times((0.0, 1.0), (2.2, 3.0), (3.0, 4.0)), LINES, samples)
    assert found[1].start_s == 2.0


def test_boundaries_in_a_phrase_move_towards_the_words_lengths() -> None:
    samples = sound((0.0, 4.0))
    found = refined(times((0.0, 1.8), (1.8, 2.0), (2.0, 4.0)), LINES, samples)
    assert 1.3 < found[1].start_s < 1.8
    assert found[0].end_s == found[1].start_s
    assert found[0].start_s == 0.0
    assert found[2].end_s == 4.0


def test_order_is_retained_and_silence_is_no_error() -> None:
    for samples in (sound(), sound((0.1, 0.2)), np.zeros(0, np.float32)):
        found = refined(times((0.0, 0.5), (0.5, 0.5), (0.5, 3.0)), LINES, samples)
        assert all(word.start_s <= word.end_s for word in found)
