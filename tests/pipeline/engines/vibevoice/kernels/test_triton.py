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

import triton.language as tl  # noqa: E402

from pipeline.engines.vibevoice.kernels import triton_attention, triton_conv_block  # noqa: E402

interpreted = pytest.mark.skipif(not os.environ.get("TRITON_INTERPRET"), reason="needs Triton's interpreter")
compiled = pytest.mark.skipif(bool(os.environ.get("TRITON_INTERPRET")), reason="needs Triton's compiler")
HALF = torch.float16
"""Type of the interpreted tests: the interpreter does not multiply bfloat16."""
TOLERANCE = 1e-3
TOOLS = Path(triton.__file__).parent / "backends" / "nvidia" / "bin"


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


@interpreted
def test_the_kernels_gelu_differs_from_the_exact_one_by_little() -> None:
    @triton.jit  # type: ignore[untyped-decorator,unused-ignore]  # triton is untyped
    def each(x, out, SIZE: tl.constexpr):  # type: ignore[no-untyped-def]
        at = tl.arange(0, SIZE)
        tl.store(out + at, triton_conv_block._gelu(tl.load(x + at)))

    x = torch.linspace(-12, 12, 4096)
    out = torch.empty_like(x)
    each[(1,)](x, out, SIZE=4096)
    error = (out.double() - F.gelu(x.double())).abs()
    assert error[x.abs() < 6].max() < 5e-5
    assert error.max() < 1e-4


@compiled
@pytest.mark.parametrize(("channels", "most"), [(32, 140), (64, 270), (128, 540)])
def test_a_conv_block_compiles_for_hopper_without_spills_in_few_instructions(
    channels: int, most: int, tmp_path: Path
) -> None:
    names = "x past kernel bias wide wide_bias narrow narrow_bias out moved normed time past_stride epsilon"
    kinds = {**dict.fromkeys(names.split(), "*bf16"), "kernel": "*fp32", "bias": "*fp32", "epsilon": "fp32"}
    kinds |= {"time": "i32", "past_stride": "i32"}
    steps, hidden = triton_conv_block.STEPS, triton_conv_block.HIDDEN
    constants = {"CHANNELS": channels, "WIDTH": 7, "EXPANDED": 4 * channels, "STEPS": steps, "HIDDEN": hidden}
    constants["EARLIER"] = triton_conv_block.EARLIER
    warps = triton_conv_block.WARPS
    assert spills(triton_conv_block._conv_block, kinds, constants, warps, tmp_path) == 0
    executed = instructions(tmp_path / "kernel.cubin", repeats=4 * channels // hidden)
    assert executed * warps / steps < most


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
    command = [str(TOOLS / "ptxas"), "-v", "-arch=sm_90a", str(ptx), "-o", str(folder / "kernel.cubin")]
    report = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    return sum(int(count) for count in re.findall(r"(\d+) bytes spill stores", report))


def instructions(binary: Path, repeats: int) -> int:
    """Return the instructions that a warp executes, if each loop of the kernel runs this many times."""
    command = [str(TOOLS / "nvdisasm"), "-c", str(binary)]
    listing = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    labels: dict[str, int] = {}
    lines: list[str] = []
    for line in listing.splitlines():
        if label := re.match(r"(\.L_x_\d+):", line):
            labels[label[1]] = len(lines)
        elif found := re.match(r"\s+/\*[0-9a-f]{4,}\*/\s+(.*;)", line):
            lines.append(found[1])
    loops = [
        at + 1 - labels[target[1]]
        for at, line in enumerate(lines)
        if (target := re.search(r"BRA `\((\.L_x_\d+)\)", line)) and labels.get(target[1], at) < at
    ]
    assert len(loops) == 1
    return len(lines) + loops[0] * (repeats - 1)
