"""Measured test: presets and their variations sound different."""

import itertools

import numpy as np
import pytest

from bench.harness.recordings import speech
from pipeline.engines.hibari.engine import PRESETS, SAMPLE_RATE_HZ, VARIATIONS, Hibari, _own_print
from pipeline.engines.hibari.vocal_tract import vocal_tract, voiceprint
from pipeline.engines.protocol import Reference

VOICES = (*PRESETS, *VARIATIONS)
SAID = "I walked along the river until the bridge, and there I waited for an hour. Nobody came."


@pytest.fixture(scope="module")
def heard() -> dict[str, np.ndarray]:
    """Vocal-tract scale and pitch of every voice, measured on its speech, as logarithms."""
    prints = {voice: voiceprint(speech(SAID, voice), SAMPLE_RATE_HZ) for voice in VOICES}
    return {voice: np.log([vocal_tract(each, _own_print()), each.pitch_hz]) for voice, each in prints.items()}


@pytest.mark.parametrize(("one", "other"), list(itertools.combinations(VOICES, 2)))
def test_two_voices_differ_in_formants_or_pitch(heard: dict[str, np.ndarray], one: str, other: str) -> None:
    formants, pitch = np.abs(heard[one] - heard[other])
    assert formants > 0.04 or pitch > 0.06


def test_profiles_name_the_voices() -> None:
    assert (*Hibari.profile.presets, *Hibari.profile.variations) == VOICES
    for voice in VOICES:
        assert Hibari().speaker(Reference(preset=voice), {}).arrays["tract"].shape == (3,)
