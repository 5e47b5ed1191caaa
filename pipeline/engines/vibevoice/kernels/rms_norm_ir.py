"""What the processor runs for a `norm`: a row is read twice, the second time from its first cache."""

from typing import Any

from llvmlite import ir

from pipeline.engines.vibevoice.kernels.abi import RMS_NORM_ARGUMENTS
from pipeline.engines.vibevoice.kernels.ir_builder import (
    COUNT,
    FLOATS,
    HALF_BYTES,
    LANES,
    Writer,
    everywhere,
    kernel,
)

VECTOR_BYTES = HALF_BYTES * LANES


def write(module: ir.Module, name: str) -> None:
    """One thread's rows."""
    job = kernel(module, name, RMS_NORM_ARGUMENTS)
    b, number, address = job.b, job.number, job.address
    row_bytes = b.mul(number["vectors"], COUNT(VECTOR_BYTES))
    epsilon, share = job.everywhere("epsilon"), job.everywhere("share")
    with b.counted(*job.share(number["rows"])) as row:
        x = b.at(address["x"], b.mul(row, row_bytes))
        inside = b.mul(b.urem(row, number["group"]), row_bytes)
        y = b.at(b.at(address["y"], b.mul(b.udiv(row, number["group"]), number["y_group_bytes"])), inside)
        scale, shift = (
            b.at(address[word], b.mul(row, number[f"{word}_row_bytes"])) for word in ("scale", "shift")
        )
        mean = b.lanewise("fma", b.summed(_squares(b, x, number["vectors"])), share, epsilon)
        inverse = b.fdiv(everywhere(1.0), b.lanewise("sqrt", mean))
        with b.counted(COUNT(0), number["vectors"]) as vector:
            offset = b.mul(vector, COUNT(VECTOR_BYTES))
            normal = b.fmul(b.wide(b.at(x, offset)), inverse)
            factor, term = (b.wide(b.at(rows, offset)) for rows in (scale, shift))
            b.keep(b.lanewise("fma", normal, factor, term), b.at(y, offset))
    b.ret_void()


def _squares(b: Writer, x: Any, vectors: Any) -> Any:
    """Their sums, lane by lane."""
    total = b.cell(FLOATS(None))
    with b.counted(COUNT(0), vectors) as vector:
        numbers = b.wide(b.at(x, b.mul(vector, COUNT(VECTOR_BYTES))))
        b.store(b.lanewise("fma", numbers, numbers, b.load(total, typ=FLOATS)), total)
    return b.load(total, typ=FLOATS)
