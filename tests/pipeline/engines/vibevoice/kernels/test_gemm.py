"""Our own GEMM: equal to the formula, rounded once."""

import itertools
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F

from pipeline.engines.vibevoice.kernels import runtime
from pipeline.engines.vibevoice.kernels.abi import ADD, GELU, MULTIPLY, NO_ACTIVATION, NO_POST_OP, ROWS, SILU
from pipeline.engines.vibevoice.kernels.gemm import pack_weight, product
from pipeline.engines.vibevoice.layers.linear import NativeLinear, OneDnnLinear, make_linear

pytestmark = pytest.mark.skipif(not runtime.supported(), reason="needs AVX-512 BF16")

Double = Callable[[torch.Tensor], torch.Tensor]
ACTIVATIONS: dict[int, Double] = {NO_ACTIVATION: lambda y: y, SILU: F.silu, GELU: F.gelu}
POST_OPS: dict[int, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    NO_POST_OP: lambda y, other: y,
    MULTIPLY: torch.mul,
    ADD: torch.add,
}


def numbers(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).bfloat16()


@pytest.mark.parametrize(("activation", "post_op"), list(itertools.product(ACTIVATIONS, POST_OPS)))
@pytest.mark.parametrize(("outer", "inner"), [(32, 2), (96, 14), (512, 1536), (64, 8960)])
def test_the_product_equals_the_formula(outer: int, inner: int, activation: int, post_op: int) -> None:
    weight, bias = numbers(outer, inner) / inner**0.5, numbers(outer, seed=1)
    made = pack_weight(weight)
    for rows in (*range(ROWS + 2), 2 * ROWS + 1, 600):
        x, other = numbers(rows, inner, seed=2), numbers(rows, outer, seed=3)
        plain = F.linear(x.double(), weight.double(), bias.double())
        expected = POST_OPS[post_op](ACTIVATIONS[activation](plain), other.double())
        found = product(x, made, bias, activation, post_op, other).double()
        assert ((found - expected).abs() <= 2.0**-8 * expected.abs() + 1e-5).all(), rows


@pytest.mark.parametrize("activation", list(ACTIVATIONS))
def test_extreme_values_of_an_activation_equal_those_of_torch(activation: int) -> None:
    ends = torch.tensor([0.0, -0.0, 1e-30, 20, -20, 90, -90, 1e30, -1e30, float("nan")]).bfloat16()
    x = torch.zeros(len(ends), 2).bfloat16()
    x[:, 0] = ends
    made = pack_weight(F.pad(torch.ones(32, 1).bfloat16(), (0, 1)))
    found = product(x, made, torch.zeros(32).bfloat16(), activation)[:, 7].float()
    expected = ACTIVATIONS[activation](ends.float())
    assert torch.allclose(found, expected, rtol=2.0**-8, atol=1e-6, equal_nan=True)


@pytest.mark.parametrize("threads", [1, 2, 3, 5])
@pytest.mark.parametrize("rows", [1, 13, 700])
def test_the_result_is_independent_of_the_number_of_threads(threads: int, rows: int) -> None:
    x, made, bias = numbers(rows, 64), pack_weight(numbers(96, 64, seed=1)), numbers(96)
    expected = product(x, made, bias)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        assert torch.equal(product(x, made, bias), expected)
    finally:
        torch.set_num_threads(before)


def test_rows_may_be_strided() -> None:
    made, bias, wide = pack_weight(numbers(64, 32, seed=1)), numbers(64), numbers(9, 64)
    strided = product(wide[:, :32], made, bias, post_op=ADD, other=numbers(64, 9, seed=2).T)
    together = product(
        wide[:, :32].contiguous(), made, bias, post_op=ADD, other=numbers(64, 9, seed=2).T.contiguous()
    )
    assert torch.equal(strided, together)


@pytest.mark.skipif(not runtime.preferred(), reason="oneDNN is used on CPUs with AMX")
def test_large_bfloat16_weights_use_our_own_kernel() -> None:
    assert isinstance(make_linear(numbers(1536, 1536)), NativeLinear)
    assert isinstance(make_linear(numbers(512, 512)), OneDnnLinear), "small"
    assert isinstance(make_linear(numbers(1537, 1536)), OneDnnLinear), "no whole panels"
    assert isinstance(make_linear(numbers(1536, 1536).float()), OneDnnLinear), "another type"
