"""The kernels: close to plain arithmetic, and a row's bits don't depend on the rows beside it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from pipeline.engines.vibevoice.checkpoint import footprint
from pipeline.engines.vibevoice.checkpoint.files import open_checkpoint
from pipeline.engines.vibevoice.checkpoint.weights import Weights
from pipeline.engines.vibevoice.decoding.decoder import Decoder
from pipeline.engines.vibevoice.device import Device
from pipeline.engines.vibevoice.kernels import runtime
from pipeline.engines.vibevoice.layers import linear
from pipeline.engines.vibevoice.layers.linear import Blocked, Halved, Linear, Tiled, fastest
from pipeline.engines.vibevoice.settings import Settings
from tests.pipeline.engines.vibevoice import segments
from tests.pipeline.engines.vibevoice.reference import Reference

CPU = torch.device("cpu")
OUTER, INNER = 768, 352
COUNTS = (*range(1, 130), 200, 240, 241, 242, 361, 1600)

needs_avx2 = pytest.mark.skipif(
    not linear.halvable(torch.float32, CPU), reason="FBGEMM's kernel is used with AVX2 alone"
)


def numbers(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def weight() -> torch.Tensor:
    """As a checkpoint in bfloat16 has it, in float32."""
    return (numbers(OUTER, INNER) / 16).bfloat16().float()


def kernels() -> list[Any]:
    """Every one that this processor has, with the type of its rows."""
    found = [(Blocked, torch.float32), (Halved, torch.float32)]
    found += [(Blocked, torch.bfloat16), (Tiled, torch.bfloat16)]
    able = (
        linear.blockable(torch.float32, CPU),
        linear.halvable(torch.float32, CPU),
        linear.blockable(torch.bfloat16, CPU),
        runtime.suits(torch.bfloat16, CPU),
    )
    return [
        pytest.param(kind, dtype, id=f"{kind.__name__}-{dtype}")
        for (kind, dtype), has in zip(found, able, strict=True)
        if has
    ]


@pytest.mark.parametrize(("kind", "dtype"), kernels())
def test_a_row_has_the_same_bits_in_any_company(kind: type[Linear], dtype: torch.dtype) -> None:
    product = kind(weight().to(dtype), numbers(OUTER).to(dtype))
    one = numbers(1, INNER, seed=2).to(dtype)
    alone = product(one)
    for count in COUNTS:
        rows = numbers(count, INNER, seed=count).to(dtype)
        for place in {0, count // 2, count - 1}:
            rows[place] = one
            assert torch.equal(product(rows)[place], alone[0]), (count, place)


@needs_avx2
def test_weights_of_sixteen_bits_give_the_results_of_float32() -> None:
    bias, x, term = numbers(OUTER), numbers(7, INNER, seed=2), numbers(7, OUTER)
    before, after = numbers(INNER, seed=3), numbers(OUTER, seed=1)
    made = fastest(weight(), bias, before=before, after=after)
    assert isinstance(made, Halved)
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
def test_a_number_that_sixteen_bits_do_not_hold_keeps_its_matrix_as_it_is(digit: float) -> None:
    odd = weight()
    odd[3, 5] = digit
    assert isinstance(fastest(odd), Blocked)


@needs_avx2
def test_a_segment_has_the_same_bits_in_any_company_with_weights_of_sixteen_bits(
    model: Reference, half: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(footprint, "HALVED_MIN", 1)
    parts = Weights(open_checkpoint(str(half)).check(), torch.float32, CPU)
    cases = [
        segments.case(model, 20 + 3 * n, 60 + n, segments.spoken(model, 4 + 3 * n), voice_seed=n % 2)
        for n in range(5)
    ]
    loop = segments.decoder(parts, 1)
    assert isinstance(loop.model.language.layers[0].joined, Halved)
    alone = segments.run(loop, [segments.request(model, cases[0])])[0].samples()
    for order in ([0, 1, 2, 3, 4], [4, 3, 0, 1, 2], [1, 2, 3, 4, 0]):
        for slots in (2, 3, 5):
            rows = segments.run(
                segments.decoder(parts, slots), [segments.request(model, cases[n]) for n in order]
            )
            assert rows[order.index(0)].samples().tobytes() == alone.tobytes()
    double = Weights(open_checkpoint(str(half)).check(), torch.float64, CPU)
    (exact,) = segments.run(segments.decoder(double, 1), [segments.request(model, cases[0])])
    assert segments.relative_error(alone, torch.from_numpy(exact.samples())) < 1e-4


def halved(part: object) -> Iterator[Halved]:
    """Every product of that kind in a part of the model."""
    if isinstance(part, Halved):
        yield part
    elif isinstance(part, list):
        for one in part:
            yield from halved(one)
    elif type(part).__module__.startswith("pipeline."):
        for one in getattr(part, "__dict__", {}).values():
            yield from halved(one)


@needs_avx2
def test_what_sixteen_bits_save_is_known_beforehand(half: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(footprint, "HALVED_MIN", 1000)
    device = Device(open_checkpoint(str(half)).check(), Settings(device="cpu"))
    precision = device.precision("float32", quantized=False)
    whole = footprint.decoder_bytes(device.checkpoint.architecture, precision.dtype.itemsize)
    decoder = device.decoder(precision, 1)
    assert isinstance(decoder, Decoder)
    numbers_held = sum(one.inner * one.outer for one in halved(decoder.model))
    assert whole - device.decoder_bytes(precision) == 2 * numbers_held > 0
