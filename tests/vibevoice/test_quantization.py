"""Eight bits: close to the original, and named by how close."""

from pathlib import Path

import torch

from pipeline.engines.vibevoice.adapter import VibeVoice
from pipeline.engines.vibevoice.linear import Linear
from pipeline.engines.vibevoice.quantization import Int8Linear
from pipeline.engines.vibevoice.settings import Settings
from tests.vibevoice.controls import Watch
from tests.vibevoice.test_adapter import prepare, script


def error_of(kind: type[Linear]) -> float:
    noise = torch.Generator().manual_seed(0)
    weight = torch.randn(96, 64, generator=noise) / 8
    x = torch.randn(5, 64, generator=noise)
    made = kind(weight.bfloat16(), torch.zeros(96).bfloat16())(x.bfloat16()).float()
    expected = x @ weight.T
    return float((made - expected).norm() / expected.norm())


def test_eight_bits_are_within_two_percent() -> None:
    assert error_of(Linear) < error_of(Int8Linear) < 0.02


def test_a_segment_is_spoken_in_eight_bits(talkative: Path) -> None:
    settings = Settings(device="cpu", slots=2, positions=1024, frames=512, quantize=True)
    engine = VibeVoice(str(talkative), settings)
    options = engine.options({"dtype": "bfloat16"})
    semantic, voices = prepare(engine, script(0))
    (heard,) = engine.diffusion(semantic, voices, 1, options, Watch())
    assert len(heard.samples) == 3200 * int(semantic.meta["frames_max"])
