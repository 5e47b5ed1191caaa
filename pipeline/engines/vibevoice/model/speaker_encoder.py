"""Speaker encoder: from a reference recording to the embeddings that condition the language model."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import soxr
import torch

from pipeline.arrays import Samples
from pipeline.engines.protocol import Reference
from pipeline.engines.vibevoice.checkpoint.weights import Weights
from pipeline.engines.vibevoice.model import connector
from pipeline.engines.vibevoice.model.streaming_conv import StreamingStack
from pipeline.errors import VoiceError

SAMPLE_RATE_HZ = 24_000
SILENCE_RMS = 1e-4
QUIET = 0.03
"""Fraction of the peak below which the start of a long recording is trimmed."""
FRAMES_AT_ONCE = 15
"""Frames per pass of the streaming encoder, two seconds: a long reference needs no more memory than a short
one.
"""


def prepare(reference: Reference, feature_extractor: Mapping[str, Any], seconds_max: float) -> Samples:
    """Resample a recording to mono at 24 kHz and the level that the model was trained with.

    A long recording is cut to its first `seconds_max` from the first audible sample.

    Args:
        feature_extractor: the settings of the checkpoint's feature extractor.
        seconds_max: most seconds of the result.

    Returns:
        (n,), float32.

    Raises:
        VoiceError: there is no recording, or it is silent.
    """
    if reference.samples is None or reference.sample_rate_hz is None:
        raise VoiceError(reference.preset or "", "VibeVoice needs a reference recording for every speaker")
    cut = _trim(reference.samples, round(seconds_max * reference.sample_rate_hz))
    samples = np.asarray(soxr.resample(cut, reference.sample_rate_hz, SAMPLE_RATE_HZ), np.float32)
    if not samples.size or float(np.sqrt(np.mean(samples**2))) < SILENCE_RMS:
        raise VoiceError(reference.preset or "reference", "is silent; give a recording with speech")
    return level(samples, feature_extractor) if feature_extractor.get("normalize_audio", True) else samples


def _trim(samples: Samples, count: int) -> Samples:
    if len(samples) <= count:
        return samples
    loud = np.abs(samples)
    start = int(np.argmax(loud > QUIET * loud.max()))
    return samples[start : start + count]


def level(samples: Samples, feature_extractor: Mapping[str, Any]) -> Samples:
    """Scale samples to the feature extractor's level (RMS, in dBFS), and into [-1, 1] if they exceed it."""
    epsilon = feature_extractor.get("eps", 1e-6)
    target = 10 ** (feature_extractor.get("target_dB_FS", -25) / 20)
    samples = samples * np.float32(target / (float(np.sqrt(np.mean(samples**2))) + epsilon))
    peak = float(np.abs(samples).max())
    return samples / np.float32(peak + epsilon) if peak > 1 else samples


class SpeakerEncoder:
    """The acoustic encoder and the acoustic connector, without the rest of the network."""

    def __init__(self, weights: Weights) -> None:
        self.dtype, self.device = weights.dtype, weights.device
        self.hop = weights.checkpoint.architecture.hop
        self.encoder = StreamingStack(weights, weights.checkpoint.architecture.acoustic_encoder)
        self.projector = connector.acoustic(weights)
        self.scale = weights("model.latent_scaling_factor").clone()
        self.shift = weights("model.latent_bias_factor").clone()

    @torch.inference_mode()
    def __call__(self, samples: Samples) -> torch.Tensor:
        """Encode samples (n,) at 24 kHz to (ceil(n / hop), hidden); the last frame is padded with silence."""
        padded = np.pad(samples, (0, -len(samples) % self.hop))
        audio = torch.from_numpy(padded).to(device=self.device, dtype=self.dtype).view(1, -1, 1)
        pieces, memories = torch.split(audio, FRAMES_AT_ONCE * self.hop, 1), self.encoder.memories(1)
        latents = [self.encoder(piece, memories) for piece in pieces]
        return self.projector((torch.cat(latents, 1)[0] + self.shift) * self.scale)
