"""RMS norm: equal to the formula, rounded once."""

import pytest
import torch

from pipeline.engines.vibevoice.kernels import runtime
from pipeline.engines.vibevoice.kernels.rms_norm import norm

pytestmark = pytest.mark.skipif(not runtime.supported(), reason="needs AVX-512 BF16")

EPSILON = 1e-6


def numbers(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).bfloat16()


def plain(x: torch.Tensor, scale: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
    wide = x.double()
    return wide / (wide.square().mean(-1, keepdim=True) + EPSILON).sqrt() * scale.double() + shift.double()


@pytest.mark.parametrize("width", [16, 48, 1536])
@pytest.mark.parametrize("rows", [1, 7, 85])
def test_the_norm_equals_the_formula(rows: int, width: int) -> None:
    x, one, none = numbers(rows, width), torch.ones(width), torch.zeros(width)
    scales, shifts = numbers(rows, width, seed=1), numbers(rows, width, seed=2)
    strided = numbers(rows, 3 * width, seed=3).chunk(3, -1)
    for scale, shift in ((None, None), (scales[0], None), (scales, shifts), strided[1:]):
        found = norm(x, EPSILON, scale, shift).double()
        expected = plain(x, one if scale is None else scale, none if shift is None else shift)
        assert ((found - expected).abs() <= 2.0**-8 * expected.abs() + 1e-5).all()


def test_zeros_are_not_divided_by_zero() -> None:
    assert torch.equal(norm(torch.zeros(3, 32).bfloat16(), EPSILON), torch.zeros(3, 32).bfloat16())


def test_the_output_may_be_strided() -> None:
    x, around = numbers(3, 5, 32), torch.zeros(3, 9, 32).bfloat16()
    norm(x, EPSILON, out=around[:, 4:])
    assert torch.equal(around[:, 4:], norm(x, EPSILON))
    assert not around[:, :4].any()


def test_a_row_is_bit_identical_in_any_batch() -> None:
    one = numbers(1, 256)
    for rows in (1, 2, 15, 400):
        others = numbers(rows, 256, seed=rows)
        others[rows // 2] = one
        assert torch.equal(norm(others, EPSILON)[rows // 2], norm(one, EPSILON)[0])
