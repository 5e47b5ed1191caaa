"""Int8 weights: error bounds, supported types, and memory saved."""

from pathlib import Path

import numpy as np
import pytest
import torch

from bench.harness.controls import Watch
from pipeline.engines.vibevoice.checkpoint import footprint
from pipeline.engines.vibevoice.checkpoint.files import open_checkpoint
from pipeline.engines.vibevoice.checkpoint.weights import Weights
from pipeline.engines.vibevoice.engine import VibeVoice
from pipeline.engines.vibevoice.layers.int8_linear import Int8Linear
from pipeline.engines.vibevoice.layers.linear import Linear
from pipeline.engines.vibevoice.model.model import Model
from pipeline.engines.vibevoice.options import canonical
from pipeline.engines.vibevoice.settings import EngineSettings
from pipeline.errors import OptionError
from tests.pipeline.engines.vibevoice.stages import prepare, script


def error_of(kind: type[Linear]) -> float:
    noise = torch.Generator().manual_seed(0)
    weight = torch.randn(96, 64, generator=noise) / 8
    x = torch.randn(5, 64, generator=noise)
    made = kind(weight.bfloat16(), torch.zeros(96).bfloat16())(x.bfloat16()).float()
    expected = x @ weight.T
    return float((made - expected).norm() / expected.norm())


def test_int8_weights_are_within_two_percent() -> None:
    assert error_of(Linear) < error_of(Int8Linear) < 0.02


@pytest.mark.slow
def test_a_segment_is_decoded_with_int8_weights(talkative: Path) -> None:
    settings = EngineSettings(device="cpu", slots=2, positions=1024, frames=512)
    engine = VibeVoice(str(talkative), settings)
    options = engine.options({"dtype": "bfloat16", "quantize": True})
    semantic, voices = prepare(engine, script(0))
    (heard,) = engine.diffusion(semantic, voices, 1, options, Watch())
    assert len(heard.samples) == 3200 * int(semantic.meta["frames_max"])
    plain = engine.options({"dtype": "bfloat16"})
    (other,) = engine.diffusion(semantic, voices, 1, plain, Watch())
    assert not np.array_equal(heard.samples, other.samples), "int8 weights change the sound"


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_int8_weights_require_bfloat16(dtype: str) -> None:
    with pytest.raises(OptionError, match=f"quantize.*not {dtype}"):
        canonical({"dtype": dtype, "quantize": True})


def test_the_footprint_predicts_the_memory_saved_by_int8_weights(talkative: Path) -> None:
    checkpoint = open_checkpoint(str(talkative)).check()
    architecture = checkpoint.architecture
    whole = footprint.decoder_bytes(architecture, footprint.HALF)
    model = Model(Weights(checkpoint, torch.bfloat16, torch.device("cpu")), 512, Int8Linear)
    products = [
        product
        for layer in model.language.layers
        for product in (layer.qkv, layer.out, layer.gated.gate, layer.gated.up, layer.down)
    ]
    saved = sum(product.inner * product.outer for product in products)
    assert footprint.decoder_bytes(architecture, footprint.HALF, quantized=True) == whole - saved
    assert {product.weight.dtype for product in products} == {torch.int8}
