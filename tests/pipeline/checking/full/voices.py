"""Speech of hibari's presets, for tests of the models that hear."""

from bench.harness import recordings
from pipeline.arrays import Samples

TEXTS = (
    "The tide had turned before we reached the quay, and nobody spoke of it.",
    "Every single year within that decade is among the ten warmest years ever recorded.",
)


def speech(text: str, preset: str) -> Samples:
    """Speak a text with a preset; (n,) samples at 16 kHz."""
    return recordings.speech(text, preset, sample_rate_hz=16_000)
