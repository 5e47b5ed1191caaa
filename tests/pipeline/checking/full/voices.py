"""Speech of hibari's presets, for tests of the models that hear."""

from functools import cache

import numpy as np
import soxr

from bench.harness.controls import Free
from pipeline.arrays import Samples
from pipeline.engines.hibari.engine import SAMPLE_RATE_HZ, Hibari
from pipeline.engines.protocol import Line, Reference, SegmentText

TEXTS = (
    "The tide had turned before we reached the quay, and nobody spoke of it.",
    "Every single year within that decade is among the ten warmest years ever recorded.",
)


@cache
def speech(text: str, preset: str, seed: int = 1, sample_rate_hz: int = 16_000) -> Samples:
    """Speak a text with a preset; (n,) samples."""
    engine = Hibari()
    options = engine.options({})
    tokens = engine.text(SegmentText((Line(0, text),), 1, seed), options)
    speaker = engine.speaker(Reference(preset=preset), options)
    utterances = engine.diffusion(engine.semantic(tokens, options), [speaker], seed, options, Free())
    samples = np.concatenate([utterance.samples for utterance in utterances])
    moved: Samples = soxr.resample(samples, SAMPLE_RATE_HZ, sample_rate_hz)
    return moved
