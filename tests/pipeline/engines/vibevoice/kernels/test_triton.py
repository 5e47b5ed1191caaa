"""Triton kernels without a GPU: in Triton's interpreter, and compiled for one (`make kernel-test`)."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

triton = pytest.importorskip("triton", reason="Triton is no dependency on CPUs; `make kernel-test` brings it")

from pipeline.engines.vibevoice.kernels import triton_attention, triton_conv_block  # noqa: E402

interpreted = pytest.mark.skipif(not os.environ.get("TRITON_INTERPRET"), reason="needs Triton's interpreter")
compiled = pytest.mark.skipif(bool(os.environ.get("TRITON_INTERPRET")), reason="needs Triton's compiler")
HALF = torch.float16
"""Type of the interpreted tests: the interpreter does not multiply bfloat16."""
TOLERANCE = 1e-3


def distance(found: torch.Tensor, right: torch.Tensor) -> float:
    return float((found.double() - right).norm() / right.norm())


@interpreted
@pytest.mark.parametrize(("channels", "steps"), [(32, 200), (64, 130), (128, 96), (32, 64)])
def test_a_conv_block_equals_its_formula_in_the_interpreter(channels: int, steps: int) -> None:
    torch.manual_seed(channels)
    rows, width, epsilon, hidden = 2, 7, 1e-5, 4 * channels
    x = torch.randn(rows, steps, channels, dtype=HALF)
    held = torch.randn(rows, (width - 1) * channels + 64, dtype=HALF)
    past = held[:, : (width - 1) * channels].unflatten(1, (width - 1, channels))  # type: ignore[no-untyped-call]
    kernel, bias = 0.3 * torch.randn(channels, width), 0.1 * torch.randn(channels)
    wide = (torch.randn(hidden, channels) / channels**0.5).to(HALF), 0.1 * torch.randn(hidden).to(HALF)
    narrow = (torch.randn(channels, hidden) / hidden**0.5).to(HALF), 0.1 * torch.randn(channels).to(HALF)

    def normed(y: torch.Tensor) -> torch.Tensor:
        return y * torch.rsqrt(y.square().mean(-1, keepdim=True) + epsilon)

    heard = torch.cat([past.double(), normed(x.double())], 1)
    mixed = bias + sum(heard[:, tap : tap + steps] * kernel[:, tap] for tap in range(width)) + x.double()
    inner = F.gelu(F.linear(normed(mixed), wide[0].double(), wide[1].double()))
    right = F.linear(inner, narrow[0].double(), narrow[1].double()) + mixed
    assert triton_conv_block.supports(x)
    found = triton_conv_block.conv_block(x, past, kernel, bias, wide, narrow, epsilon)
    assert distance(found, right) < TOLERANCE
    assert distance(past, heard[:, -(width - 1) :]) < TOLERANCE


@interpreted
@pytest.mark.filterwarnings("ignore:Conversion of an array with ndim")  # of the interpreter's own loops
@pytest.mark.parametrize(("key_heads", "group", "size"), [(2, 6, 128), (4, 7, 128), (1, 1, 64)])
def test_attention_equals_its_formula_in_the_interpreter(key_heads: int, group: int, size: int) -> None:
    torch.manual_seed(size + group)
    lengths, capacity = (1, 7, 64, 65, 300, 130), 300
    rows = len(lengths)
    store = torch.randn(rows * capacity + 1, 2, key_heads, size, dtype=HALF)
    store[-1] = torch.nan
    queries = torch.randn(rows, key_heads * group, size, dtype=HALF)
    first, length = torch.arange(rows) * capacity, torch.tensor(lengths, dtype=torch.int32)
    assert triton_attention.supports(queries, key_heads)
    found = triton_attention.attend(queries, store, first, length, capacity)
    for row, count in enumerate(lengths):
        keys, values = store[row * capacity : row * capacity + count].double().permute(1, 2, 0, 3)
        query = queries[row].double().view(key_heads, group, size)
        right = F.scaled_dot_product_attention(query, keys, values).flatten(0, 1)
        assert distance(found[row], right) < TOLERANCE


@compiled
@pytest.mark.parametrize("channels", [32, 64, 128])
def test_a_conv_block_compiles_for_hopper_without_spills(channels: int, tmp_path: Path) -> None:
    names = [
        "x",
        "past",
        "kernel",
        "bias",
        "wide",
        "wide_bias",
        "narrow",
        "narrow_bias",
        "out",
        "moved",
        "time",
        "past_stride",
        "epsilon",
    ]
    kinds = {**dict.fromkeys(names, "*bf16"), "kernel": "*fp32", "bias": "*fp32", "epsilon": "fp32"}
    kinds |= {"time": "i32", "past_stride": "i32"}
    constants = {"CHANNELS": channels, "WIDTH": 7, "EXPANDED": 4 * channels, "STEPS": 64, "HIDDEN": 64}
    warps = 4 if channels == 32 else 8
    assert spills(triton_conv_block._conv_block, kinds, constants, warps, tmp_path) == 0


@compiled
def test_attention_compiles_for_hopper_without_spills(tmp_path: Path) -> None:
    kinds = {"queries": "*bf16", "store": "*bf16", "first": "*i64", "lengths": "*i32", "sums": "*fp32"}
    kinds |= {"scales": "*fp32", "scale": "fp32"}
    kinds |= dict.fromkeys(("token_stride", "pair_stride", "head_stride", "part"), "i32")
    shape = {"KEY_HEADS": 2, "PARTS": 16, "GROUP": 6, "QUERIES": 16, "SIZE": 128}
    assert spills(triton_attention._parts, kinds, {**shape, "TOKENS": 64}, 4, tmp_path) == 0
    kinds = {"sums": "*fp32", "scales": "*fp32", "out": "*bf16"}
    assert spills(triton_attention._sum, kinds, shape, 4, tmp_path) == 0


def spills(kernel: Any, kinds: dict[str, str], constants: dict[str, int], warps: int, folder: Path) -> int:
    """Return the bytes that a kernel spills, compiled for compute capability 9.0."""
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    aligned = [at for at, kind in enumerate(kinds.values()) if kind != "fp32"]
    source = ASTSource(
        fn=kernel,
        signature={**kinds, **dict.fromkeys(constants, "constexpr")},
        constexprs=constants,
        attrs={(at,): [["tt.divisibility", 16]] for at in aligned},
    )
    made = triton.compile(source, target=GPUTarget("cuda", 90, 32), options={"num_warps": warps})
    ptx = folder / "kernel.ptx"
    ptx.write_text(made.asm["ptx"])
    assembler = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "ptxas"
    command = [str(assembler), "-v", "-arch=sm_90a", str(ptx), "-o", str(folder / "kernel.cubin")]
    report = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    return sum(int(count) for count in re.findall(r"(\d+) bytes spill stores", report))
