"""Tests of voice activity detection."""

import numpy as np
import pytest

from pipeline.checking.full import speech as detector
from tests.pipeline.checking.full.voices import TEXTS, speech

pytestmark = pytest.mark.listen


def test_speech_is_distinguished_from_noise_and_silence() -> None:
    spoken = speech(TEXTS[0], "wren")
    noise = np.random.default_rng(0).normal(0, 0.05, 48_000).astype(np.float32)
    found = detector.probabilities(np.concatenate([spoken, noise, np.zeros(48_000, np.float32)]))
    windows = len(spoken) // detector.WINDOW
    assert np.median(found[5 : windows - 20]) > 0.9
    assert found[windows + 5 :].max() < 0.5


def test_it_equals_the_package_that_brings_it() -> None:
    from faster_whisper.vad import get_vad_model

    samples = speech(TEXTS[1], "crane")
    samples = samples[: len(samples) // 512 * 512]
    np.testing.assert_allclose(
        detector.probabilities(samples), get_vad_model()(samples).reshape(-1), atol=1e-4
    )
