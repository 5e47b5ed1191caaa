"""Recordings of speech to register as voices, spoken by hibari."""

import io
from functools import cache

import numpy as np
import soundfile
import soxr

from pipeline.arrays import Samples
from pipeline.engines.hibari.engine import SAMPLE_RATE_HZ, Hibari
from pipeline.engines.protocol import Line, Reference, SegmentText, Uncontrolled

TEXT = (
    "I walked along the river until the bridge, and there I waited for an hour. Nobody came. The boats had "
    "gone out early, and only an old man was mending his nets. He looked up, smiled, and asked where I went."
)


@cache
def speech(
    text: str = TEXT, preset: str = "wren", *, seed: int = 1, sample_rate_hz: int = SAMPLE_RATE_HZ
) -> Samples:
    """Speak a text with a preset; (n,) samples."""
    engine = Hibari()
    options = engine.options({})
    tokens = engine.text(SegmentText((Line(0, text),), 1, seed), options)
    speaker = engine.speaker(Reference(preset=preset), options)
    utterances = engine.diffusion(engine.semantic(tokens, options), [speaker], seed, options, Uncontrolled())
    samples = np.concatenate([utterance.samples for utterance in utterances])
    moved: Samples = soxr.resample(samples, SAMPLE_RATE_HZ, sample_rate_hz)
    return moved


def recording(seed: int = 1, seconds: float = 2.0, *, sample_rate_hz: int = SAMPLE_RATE_HZ) -> bytes:
    """Make a WAV file of speech, another for every seed."""
    return wav(
        np.resize(speech(seed=seed, sample_rate_hz=sample_rate_hz), round(seconds * sample_rate_hz)),
        sample_rate_hz,
    )


def wav(samples: Samples, sample_rate_hz: int = SAMPLE_RATE_HZ) -> bytes:
    """Write samples to a WAV file of float values."""
    file = io.BytesIO()
    soundfile.write(file, samples, sample_rate_hz, format="WAV", subtype="FLOAT")
    return file.getvalue()
