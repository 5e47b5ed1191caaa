"""Random segments, for the decode loop and for transformers alike."""

import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from pipeline.engines.vibevoice.checkpoint.weights import Weights
from pipeline.engines.vibevoice.decoding.cuda_graphs import Capture, uncaptured
from pipeline.engines.vibevoice.decoding.decoder import Decoder
from pipeline.engines.vibevoice.decoding.frame_decoder import FrameDecoder
from pipeline.engines.vibevoice.decoding.request import Limits, SegmentRequest
from pipeline.engines.vibevoice.model.model import Model
from pipeline.engines.vibevoice.runtime.fusion import InductorFusion
from tests.pipeline.engines.vibevoice import reference
from tests.pipeline.engines.vibevoice.reference import Reference

VOICE_AT = 3


@dataclass(frozen=True, eq=False)
class Case:
    """Prompt, forced tokens (None: the model chooses), and seed of the noise."""

    ids: torch.Tensor
    """(1, positions)."""
    audio: torch.Tensor
    """(1, 1, samples), its voice."""
    seed: int
    tokens: tuple[int, ...] | None = None
    tokens_max: int = 40

    @property
    def voice_frames(self) -> int:
        return self.audio.shape[-1] // 3200

    def inputs(self) -> dict[str, torch.Tensor]:
        """Make the inputs of `generate()` for this case alone."""
        present = torch.ones(1, self.audio.shape[-1], dtype=torch.bool)
        return {
            "input_ids": self.ids,
            "attention_mask": torch.ones_like(self.ids),
            "input_values": self.audio,
            "padding_mask": present,
        }


@functools.cache
def case(
    model: Reference,
    positions: int,
    seed: int,
    tokens: tuple[int, ...] | None = None,
    *,
    voice: int = 4,
    voice_seed: int = 0,
) -> Case:
    """Make a prompt with `voice` frames of a voice; prompts with the same voice begin alike."""
    start, speech = torch.Generator().manual_seed(voice_seed), torch.Generator().manual_seed(seed)
    ids = torch.randint(0, 300, (1, positions), generator=speech)
    ids[0, :VOICE_AT] = torch.randint(0, 300, (VOICE_AT,), generator=start)
    ids[0, VOICE_AT : VOICE_AT + voice] = model.config.audio_token_id
    ids[0, -1] = model.config.audio_bos_token_id
    audio = 0.3 * torch.randn(1, 1, voice * 3200, generator=start, dtype=model.dtype)
    return Case(ids, audio, seed, tokens)


def frame_tokens(model: Reference, frames: int) -> tuple[int, ...]:
    """Return the tokens of a segment with that many frames."""
    config = model.config
    return (config.audio_token_id,) * frames + (config.audio_eos_token_id, config.eos_token_id)


def vectors(model: Reference, one: Case) -> torch.Tensor:
    """Embed a prompt as (positions, hidden), like the prefill of `generate()`."""
    with torch.inference_mode(), reference.Wide(model):
        found: torch.Tensor = model.get_input_embeddings()(one.ids)[0].clone()
        inputs = one.inputs()
        heard = model.model.get_audio_features(inputs["input_values"], inputs["padding_mask"], sample=False)
        found[VOICE_AT : VOICE_AT + one.voice_frames] = heard.pooler_output
    return found.clone()


def request(model: Reference, one: Case, *, cut: bool = True) -> SegmentRequest:
    """Make a request; with `cut`, its voice can be shared."""
    return SegmentRequest(
        prompt=vectors(model, one),
        cuts=(VOICE_AT + one.voice_frames,) if cut else (),
        noise=torch.Generator().manual_seed(one.seed),
        tokens_max=one.tokens_max,
        forced=one.tokens or (),
    )


def decoder(weights: Weights, slots: int, *, prefix_bytes: int = 1 << 20) -> Decoder:
    limits = Limits(slots, positions=128, frames=64, prefix_bytes=prefix_bytes)
    return Decoder(Model(weights, positions=128), limits)


def frame_decoder(
    weights: Weights, slots: int, *, capture: Capture = uncaptured, fusion: InductorFusion | None = None
) -> FrameDecoder:
    limits = Limits(slots, positions=128, frames=64, prefix_bytes=1 << 20)
    return FrameDecoder(Model(weights, positions=128), limits, capture=capture, fusion=fusion)


@functools.cache
def generated(model: Reference, one: Case) -> tuple[torch.Tensor, list[int]]:
    """Generate samples (n,) and tokens of a case alone."""
    given = [one.tokens] if one.tokens is not None else None
    audio, tokens = reference.generate(model, one.inputs(), [one.seed], tokens=given)
    return audio[0], tokens[0]


def relative_error(found: npt.NDArray[np.floating], expected: torch.Tensor) -> float:
    """Return the largest difference over the largest sample; infinite if the lengths differ."""
    if found.shape != tuple(expected.shape):
        return float("inf")
    if not found.size:
        return 0.0
    return float(np.abs(found - expected.numpy()).max() / expected.abs().max())
