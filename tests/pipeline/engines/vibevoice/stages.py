"""Segments and the stages before diffusion, for tests of the engine."""

import numpy as np

from pipeline.arrays import Arrays
from pipeline.engines.protocol import Line, Reference, SegmentText
from pipeline.engines.vibevoice.engine import VibeVoice
from pipeline.engines.vibevoice.settings import EngineSettings

RATE_HZ = 24_000
SETTINGS = EngineSettings(device="cpu", slots=3, positions=1024, frames=512, prefix_bytes=1 << 20)
OPTIONS = {"dtype": "float64"}


def recording(seed: int, seconds: float = 1.3) -> Reference:
    samples = np.random.default_rng(seed).normal(0, 0.2, round(seconds * RATE_HZ)).astype(np.float32)
    return Reference(samples=samples, sample_rate_hz=RATE_HZ)


def script(number: int) -> SegmentText:
    """Make a segment of one to three speakers; more lines make a longer frame plan."""
    lines = [Line(n % (number % 3 + 1), f"Line {n} of {number}.") for n in range(number % 3 + 1 + number)]
    return SegmentText(tuple(lines), speakers=number % 3 + 1, seed=1000 + number)


def prepare(engine: VibeVoice, segment: SegmentText) -> tuple[Arrays, list[Arrays]]:
    """Run the stages before diffusion."""
    options = engine.options(OPTIONS)
    semantic = engine.semantic(engine.text(segment, options), options)
    return semantic, [engine.speaker(recording(slot), options) for slot in range(segment.speakers)]
