"""Tests of the kernels' LLVM IR and of their layouts on any machine, with or without AVX-512 or AMX."""

import ctypes
import re
from collections.abc import Sequence
from functools import cache

import llvmlite.binding as llvm
import pytest
import torch
from llvmlite import ir

from pipeline.engines.vibevoice.kernels import jit
from pipeline.engines.vibevoice.kernels.abi import (
    ATTENTION_ARGUMENTS,
    GEMM_ARGUMENTS,
    PANEL,
    RMS_NORM_ARGUMENTS,
    ROWS,
)
from pipeline.engines.vibevoice.kernels.gemm import pack_weight
from pipeline.engines.vibevoice.kernels.ir_builder import COUNT, kernel

SIZES: dict[str, dict[str, int]] = {
    "attention": {"group": 6, "size": 128},
    "norm": {},
    "product": {},
}
PROCESSORS = ("cooperlake", "sapphirerapids", "znver4", "znver5")
"""CPUs with AVX-512 BF16; the second has AMX, too."""


@cache
def assembly(name: str, processor: str) -> str:
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    target = llvm.Target.from_triple("x86_64-unknown-linux-gnu")
    machine = target.create_target_machine(cpu=processor, opt=3)
    text: str = machine.emit_assembly(jit.optimise(jit.generate_ir(name, **SIZES[name]), machine))
    return text


def test_every_kernel_has_a_case() -> None:
    assert set(SIZES) == set(jit.IR_GENERATORS)


@pytest.mark.parametrize("processor", PROCESSORS)
@pytest.mark.parametrize("name", SIZES)
def test_kernels_compile_to_bfloat16_instructions(name: str, processor: str) -> None:
    text = assembly(name, processor)
    assert f".globl\t{name}\n" in text
    assert "vcvtneps2bf16\t%zmm" in text
    assert ("vdpbf16ps" in text) == (name != "norm")
    called = set(re.findall(r"call[q]?\t\*?(\w+)", text))
    assert {each for each in called if each.isidentifier()} <= {
        *jit.EXTERNALS,
        *re.findall(r"^(\w+):", text, re.M),
    }


@pytest.mark.parametrize("processor", PROCESSORS)
def test_the_totals_of_a_product_stay_in_registers(processor: str) -> None:
    """All accumulators, two registers for each of twelve rows, occur in one run without a spill."""
    runs = re.split(r"\n\s*(?:j\w+|vmovups\s+%zmm\d+, [^%]*\(%rsp\)).*", assembly("product", processor))
    totals = [len(set(re.findall(r"vdpbf16ps\s.*, (%zmm\d+)", run))) for run in runs]
    assert max(totals) == 2 * ROWS


@pytest.mark.parametrize("arguments", [ATTENTION_ARGUMENTS, RMS_NORM_ARGUMENTS, GEMM_ARGUMENTS])
def test_arguments_are_passed_in_the_order_of_their_names(arguments: Sequence[str]) -> None:
    """Run a kernel that copies its arguments to `y`."""
    module = ir.Module("probe")
    thread = kernel(module, "probe", arguments)
    for place, name in enumerate(arguments):
        thread.b.store(thread.number[name], thread.b.offset(thread.address["y"], COUNT(8 * place)))
    thread.b.ret_void()
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine(jit=True)
    engine = llvm.create_mcjit_compiler(jit.optimise(module, machine), machine)
    engine.finalize_object()
    found = (ctypes.c_int64 * len(arguments))()
    given = [1000 + place for place in range(len(arguments))]
    given[list(arguments).index("y")] = ctypes.addressof(found)
    block = (ctypes.c_int64 * len(given))(*given)
    ctypes.CFUNCTYPE(None, ctypes.c_void_p)(engine.get_function_address("probe"))(ctypes.addressof(block))
    assert list(found) == given


def test_panels_hold_pairs_in_the_order_of_reading() -> None:
    outer, inner = 3 * PANEL, 10
    weight = torch.arange(outer * inner).view(outer, inner).to(torch.int16).view(torch.bfloat16)
    panels = pack_weight(weight).view(torch.int16).view(outer // PANEL, inner // 2, PANEL, 2)
    for panel, pair, column in ((0, 0, 0), (0, 4, 31), (2, 1, 7), (1, 3, 30)):
        first = (panel * PANEL + column) * inner + 2 * pair
        assert panels[panel, pair, column].tolist() == [first, first + 1]
