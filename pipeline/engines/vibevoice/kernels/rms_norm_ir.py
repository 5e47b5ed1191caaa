"""LLVM IR of the RMS norm. A row is read twice, the second time from the L1 cache."""

from typing import Any

from llvmlite import ir

from pipeline.engines.vibevoice.kernels.abi import RMS_NORM_ARGUMENTS
from pipeline.engines.vibevoice.kernels.ir_builder import (
    COUNT,
    FLOATS,
    HALF_BYTES,
    LANES,
    KernelBuilder,
    kernel,
    splat,
)

VECTOR_BYTES = HALF_BYTES * LANES


def write(module: ir.Module, name: str) -> None:
    """Generate the kernel; each thread computes some rows."""
    thread = kernel(module, name, RMS_NORM_ARGUMENTS)
    b, number, address = thread.b, thread.number, thread.address
    row_bytes = b.mul(number["vectors"], COUNT(VECTOR_BYTES))
    epsilon, inverse_width = thread.splat("epsilon"), thread.splat("inverse_width")
    with b.loop(*thread.partition(number["rows"])) as row:
        x = b.offset(address["x"], b.mul(row, row_bytes))
        inside = b.mul(b.urem(row, number["group"]), row_bytes)
        y = b.offset(
            b.offset(address["y"], b.mul(b.udiv(row, number["group"]), number["y_group_bytes"])), inside
        )
        scale, shift = (
            b.offset(address[word], b.mul(row, number[f"{word}_row_bytes"])) for word in ("scale", "shift")
        )
        mean = b.intrinsic("fma", b.reduce_sum(_squares(b, x, number["vectors"])), inverse_width, epsilon)
        inverse = b.fdiv(splat(1.0), b.intrinsic("sqrt", mean))
        with b.loop(COUNT(0), number["vectors"]) as vector:
            offset = b.mul(vector, COUNT(VECTOR_BYTES))
            normal = b.fmul(b.load_bf16(b.offset(x, offset)), inverse)
            factor, term = (b.load_bf16(b.offset(rows, offset)) for rows in (scale, shift))
            b.store_bf16(b.intrinsic("fma", normal, factor, term), b.offset(y, offset))
    b.ret_void()


def _squares(b: KernelBuilder, x: Any, vectors: Any) -> Any:
    """Sum the squares of a row, per lane."""
    total = b.variable(FLOATS(None))
    with b.loop(COUNT(0), vectors) as vector:
        numbers = b.load_bf16(b.offset(x, b.mul(vector, COUNT(VECTOR_BYTES))))
        b.store(b.intrinsic("fma", numbers, numbers, b.load(total, typ=FLOATS)), total)
    return b.load(total, typ=FLOATS)
