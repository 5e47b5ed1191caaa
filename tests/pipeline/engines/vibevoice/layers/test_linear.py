"""Linear layers: close to plain arithmetic, and results per row are independent of the batch."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from bench.harness.slots import decode_all
from pipeline.engines.vibevoice.checkpoint import footprint
from pipeline.engines.vibevoice.checkpoint.files import open_checkpoint
from pipeline.engines.vibevoice.checkpoint.weights import Weights
from pipeline.engines.vibevoice.decoding.decoder import Decoder
from pipeline.engines.vibevoice.device import Device
from pipeline.engines.vibevoice.kernels import runtime
from pipeline.engines.vibevoice.layers import linear
from pipeline.engines.vibevoice.layers.linear import (
    Fp16WeightLinear,
    Linear,
    NativeLinear,
    OneDnnLinear,
    make_linear,
)
from pipeline.engines.vibevoice.settings import EngineSettings
from tests.pipeline.engines.vibevoice import segments
from tests.pipeline.engines.vibevoice.reference import Reference

CPU = torch.device("cpu")
OUTER, INNER = 768, 352
COUNTS = (*range(1, 130), 200, 240, 241, 242, 361, 1600)

needs_avx2 = pytest.mark.skipif(
    not linear.has_fp16_weight_kernel(torch.float32, CPU), reason="FBGEMM's kernel is used with AVX2 alone"
)


def numbers(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def weight() -> torch.Tensor:
    """Weight of a bfloat16 checkpoint, in float32."""
    return (numbers(OUTER, INNER) / 16).bfloat16().float()


def kernels() -> list[Any]:
    """Every kernel that this CPU supports, with the type of its activations."""
    found = [(OneDnnLinear, torch.float32), (Fp16WeightLinear, torch.float32)]
    found += [(OneDnnLinear, torch.bfloat16), (NativeLinear, torch.bfloat16)]
    able = (
        linear.has_onednn_kernel(torch.float32, CPU),
        linear.has_fp16_weight_kernel(torch.float32, CPU),
        linear.has_onednn_kernel(torch.bfloat16, CPU),
        runtime.usable(torch.bfloat16, CPU),
    )
    return [
        pytest.param(kind, dtype, id=f"{kind.__name__}-{dtype}")
        for (kind, dtype), has in zip(found, able, strict=True)
        if has
    ]


@pytest.mark.parametrize(("kind", "dtype"), kernels())
def test_a_row_is_bit_identical_in_any_batch(kind: type[Linear], dtype: torch.dtype) -> None:
    product = kind(weight().to(dtype), numbers(OUTER).to(dtype))
    one = numbers(1, INNER, seed=2).to(dtype)
    alone = product(one)
    for count in COUNTS:
        rows = numbers(count, INNER, seed=count).to(dtype)
        for place in {0, count // 2, count - 1}:
            rows[place] = one
            assert torch.equal(product(rows)[place], alone[0]), (count, place)


@needs_avx2
def test_fp16_weights_give_the_results_of_float32() -> None:
    bias, x, term = numbers(OUTER), numbers(7, INNER, seed=2), numbers(7, OUTER)
    before, after = numbers(INNER, seed=3), numbers(OUTER, seed=1)
    made = make_linear(weight(), bias, before=before, after=after)
    assert isinstance(made, Fp16WeightLinear)
    y = F.linear(x.double() * before, weight().double(), bias.double()) * after
    for found, expected in (
        (made(x), y),
        (made.activated(x, "silu"), F.silu(y)),
        (made.activated(x, "gelu"), F.gelu(y)),
        (made.times(x, term), y * term),
        (made.plus(x, term), y + term),
        (made(x.view(1, 7, INNER))[0], y),
    ):
        assert (found - expected).abs().max() <= 2e-6 * expected.abs().max()


@needs_avx2
@pytest.mark.parametrize("digit", [1 + 2.0**-12, 1e5, float("nan")])
def test_a_weight_that_float16_cannot_represent_is_not_converted(digit: float) -> None:
    odd = weight()
    odd[3, 5] = digit
    assert isinstance(make_linear(odd), OneDnnLinear)


@needs_avx2
def test_a_segment_is_bit_identical_in_any_batch_with_fp16_weights(
    model: Reference, half: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(footprint, "FP16_WEIGHT_MIN", 1)
    parts = Weights(open_checkpoint(str(half)).check(), torch.float32, CPU)
    cases = [
        segments.case(model, 20 + 3 * n, 60 + n, segments.frame_tokens(model, 4 + 3 * n), voice_seed=n % 2)
        for n in range(5)
    ]
    loop = segments.decoder(parts, 1)
    assert isinstance(loop.model.language.layers[0].qkv, Fp16WeightLinear)
    alone = decode_all(loop, [segments.request(model, cases[0])])[0].samples()
    for order in ([0, 1, 2, 3, 4], [4, 3, 0, 1, 2], [1, 2, 3, 4, 0]):
        for slots in (2, 3, 5):
            rows = decode_all(
                segments.decoder(parts, slots), [segments.request(model, cases[n]) for n in order]
            )
            assert rows[order.index(0)].samples().tobytes() == alone.tobytes()
    double = Weights(open_checkpoint(str(half)).check(), torch.float64, CPU)
    (exact,) = decode_all(segments.decoder(double, 1), [segments.request(model, cases[0])])
    assert segments.relative_error(alone, torch.from_numpy(exact.samples())) < 1e-4


def fp16_weights(part: object) -> Iterator[Fp16WeightLinear]:
    """Yield every layer with float16 weights in a part of the model."""
    if isinstance(part, Fp16WeightLinear):
        yield part
    elif isinstance(part, list):
        for one in part:
            yield from fp16_weights(one)
    elif type(part).__module__.startswith("pipeline."):
        for one in getattr(part, "__dict__", {}).values():
            yield from fp16_weights(one)


@needs_avx2
def test_the_footprint_predicts_the_memory_saved_by_fp16_weights(
    half: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(footprint, "FP16_WEIGHT_MIN", 1000)
    device = Device(open_checkpoint(str(half)).check(), EngineSettings(device="cpu"))
    precision = device.precision("float32", quantized=False)
    whole = footprint.decoder_bytes(device.checkpoint.architecture, precision.dtype.itemsize)
    decoder = device.decoder(precision, 1)
    assert isinstance(decoder, Decoder)
    numbers_held = sum(one.inner * one.outer for one in fp16_weights(decoder.model))
    assert whole - device.decoder_bytes(precision) == 2 * numbers_held > 0
