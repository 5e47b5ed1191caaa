"""A reference recording to what the language model knows a voice by."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import soxr
import torch

from pipeline.arrays import Samples
from pipeline.engines.protocol import Reference
from pipeline.engines.vibevoice.checkpoint.weights import Weights
from pipeline.engines.vibevoice.model import connector
from pipeline.engines.vibevoice.model.streaming_conv import Stream
from pipeline.errors import VoiceError

SAMPLE_RATE_HZ = 24_000
SILENCE_RMS = 1e-4
QUIET = 0.03
"""Of the peak: what is below it before a long recording's first sound is left out."""
FRAMES_AT_ONCE = 15
"""The encoder streams through two seconds at a time, so that a long reference needs no more memory than a
short one.
"""


def prepare(reference: Reference, hearing: Mapping[str, Any], seconds_max: float) -> Samples:
    """(n,), mono at 24 kHz, at the level that the model was trained with. A longer recording is cut to its
    first seconds from where something is heard.

    Args:
        hearing: the settings of the checkpoint's feature extractor.

    Raises:
        VoiceError: there is no recording, or nothing is heard in it.
    """
    if reference.samples is None or reference.sample_rate_hz is None:
        raise VoiceError(reference.preset or "", "VibeVoice needs a reference recording of every speaker")
    cut = _first(reference.samples, round(seconds_max * reference.sample_rate_hz))
    samples = np.asarray(soxr.resample(cut, reference.sample_rate_hz, SAMPLE_RATE_HZ), np.float32)
    if not samples.size or float(np.sqrt(np.mean(samples**2))) < SILENCE_RMS:
        raise VoiceError(reference.preset or "reference", "nothing is heard in the recording")
    return level(samples, hearing) if hearing.get("normalize_audio", True) else samples


def _first(samples: Samples, count: int) -> Samples:
    if len(samples) <= count:
        return samples
    loud = np.abs(samples)
    start = int(np.argmax(loud > QUIET * loud.max()))
    return samples[start : start + count]


def level(samples: Samples, hearing: Mapping[str, Any]) -> Samples:
    """At the extractor's level (dB below full scale, by root mean square), and within [-1, 1]."""
    epsilon = hearing.get("eps", 1e-6)
    target = 10 ** (hearing.get("target_dB_FS", -25) / 20)
    samples = samples * np.float32(target / (float(np.sqrt(np.mean(samples**2))) + epsilon))
    peak = float(np.abs(samples).max())
    return samples / np.float32(peak + epsilon) if peak > 1 else samples


class SpeakerEncoder:
    """The acoustic encoder and the projector, and nothing else of the model."""

    def __init__(self, weights: Weights) -> None:
        self.dtype, self.device = weights.dtype, weights.device
        self.hop = weights.checkpoint.architecture.hop
        self.encoder = Stream(weights, weights.checkpoint.architecture.acoustic_encoder)
        self.projector = connector.acoustic(weights)
        self.scale = weights("model.latent_scaling_factor").clone()
        self.shift = weights("model.latent_bias_factor").clone()

    @torch.inference_mode()
    def __call__(self, samples: Samples) -> torch.Tensor:
        """(n,) at 24 kHz to (ceil(n / hop), hidden); the last frame is filled up with silence."""
        padded = np.pad(samples, (0, -len(samples) % self.hop))
        audio = torch.from_numpy(padded).to(device=self.device, dtype=self.dtype).view(1, -1, 1)
        pieces, memories = torch.split(audio, FRAMES_AT_ONCE * self.hop, 1), self.encoder.memories(1)
        latents = [self.encoder(piece, memories) for piece in pieces]
        return self.projector((torch.cat(latents, 1)[0] + self.shift) * self.scale)
