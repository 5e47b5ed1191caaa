"""Tests of the speaker encoder: equal to PyTorch's LSTM, and able to tell voices apart."""

import numpy as np
import pytest

from pipeline.checking.full import speaker_encoder as encoders
from pipeline.engines.hibari.engine import PRESETS
from tests.pipeline.checking.full.voices import TEXTS, speech

pytestmark = pytest.mark.listen


def test_the_network_equals_pytorch() -> None:
    torch = pytest.importorskip("torch")
    encoder = encoders.speaker_encoder()
    lstm = torch.nn.LSTM(40, 256, 3, batch_first=True)
    weights = {name[5:]: torch.tensor(value) for name, value in encoder.weights.items() if "lstm" in name}
    lstm.load_state_dict(weights)
    frames = np.random.default_rng(0).random((160, 40)).astype(np.float32)
    _, (hidden, _) = lstm(torch.tensor(frames)[None])
    np.testing.assert_allclose(encoder._network(frames[None]), hidden[-1].detach().numpy(), atol=1e-5)


def test_the_filters_equal_those_of_librosa() -> None:
    from faster_whisper.feature_extractor import FeatureExtractor

    expected = FeatureExtractor.get_mel_filters(16_000, 400, 40)
    np.testing.assert_allclose(encoders._filters(), expected, atol=1e-7)


def test_a_voice_is_closer_to_itself_than_to_any_other() -> None:
    encoder = encoders.speaker_encoder()
    first, second = ([encoder.embed(speech(text, name)) for name in PRESETS] for text in TEXTS)
    likeness = np.array(first) @ np.array(second).T
    own = np.diag(likeness)
    others = likeness[~np.eye(len(PRESETS), dtype=bool)]
    assert own.min() > 0.85
    assert others.max() < own.min() - 0.05


def test_silence_and_very_short_sound_have_embeddings() -> None:
    encoder = encoders.speaker_encoder()
    for samples in (np.zeros(0, np.float32), np.zeros(16_000, np.float32), np.ones(10, np.float32)):
        assert np.isfinite(encoder.embed(samples)).all()
