"""Decode attention: equal to the formula, rounded once, and it writes the cache."""

import pytest
import torch
import torch.nn.functional as F

from pipeline.engines.vibevoice.kernels import runtime
from pipeline.engines.vibevoice.kernels.attention import attend

pytestmark = pytest.mark.skipif(not runtime.supported(), reason="needs AVX-512 BF16")

CAPACITY = 96


def numbers(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).bfloat16()


def parts(rows: int, keys: int, group: int, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Make queries and pairs that are views of one tensor, as in the language model."""
    joined = numbers(rows, keys * (group + 2), size, seed=1)
    queries, pairs = joined[:, : keys * group], joined[:, keys * group :]
    return queries.view(rows, keys, group, size), pairs.view(rows, 2, keys, size)


@pytest.mark.parametrize(
    ("keys", "group", "size"), [(2, 6, 128), (4, 7, 128), (1, 2, 32), (2, 1, 64), (1, 9, 160)]
)
def test_attention_equals_the_formula(keys: int, group: int, size: int) -> None:
    slots, positions = [3, 0, 4, 1], [0, 15, 16, CAPACITY - 1]
    cache = numbers(5, 2, keys, CAPACITY, size)
    queries, pairs = parts(4, keys, group, size)
    expected = cache.clone()
    expected[slots, :, :, positions] = pairs
    found = attend(queries, pairs, cache, torch.tensor(slots), torch.tensor(positions), max(positions))
    assert torch.equal(cache, expected)
    for row, (slot, position) in enumerate(zip(slots, positions, strict=True)):
        past = expected[slot, :, :, : position + 1].double()
        exact = F.scaled_dot_product_attention(queries[row].double(), past[0], past[1])
        assert ((found[row] - exact).abs() <= 2.0**-8 * exact.abs() + 1e-5).all()


def test_extreme_scores_do_not_overflow() -> None:
    cache = 300 * numbers(1, 2, 1, CAPACITY, 32)
    queries, pairs = (300 * part for part in parts(1, 1, 2, 32))
    found = attend(queries, pairs, cache, torch.tensor([0]), torch.tensor([40]), 40)
    past = cache[0, :, :, :41].double()
    exact = F.scaled_dot_product_attention(queries[0].double(), past[0], past[1])
    assert ((found[0] - exact).abs() <= 2.0**-8 * exact.abs() + 1e-5).all()


def test_positions_past_the_end_of_a_row_are_not_read() -> None:
    cache = torch.full((1, 2, 2, CAPACITY, 64), float("nan")).bfloat16()
    cache[:, :, :, :20] = numbers(1, 2, 2, 20, 64)
    found = attend(*parts(1, 2, 3, 64), cache, torch.tensor([0]), torch.tensor([20]), 20)
    assert found.isfinite().all()


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_a_row_is_bit_identical_in_any_batch(threads: int) -> None:
    queries, pairs = parts(7, 2, 6, 128)
    cache, before = numbers(7, 2, 2, CAPACITY, 128), torch.get_num_threads()
    positions = torch.tensor([50, 3, 95, 17, 64, 0, 31])
    together = attend(queries, pairs, cache, torch.arange(7), positions, 95)
    torch.set_num_threads(threads)
    try:
        for row in range(7):
            one = slice(row, row + 1)
            alone = attend(
                queries[one], pairs[one], cache, torch.tensor([row]), positions[one], int(positions[row])
            )
            assert torch.equal(alone[0], together[row])
    finally:
        torch.set_num_threads(before)
