"""LLVM IR of the GEMM.

    a block of rows that fits the cache  threads divide panels, and blocks if there are many rows
    a panel of 32 output channels
        12 rows                          24 accumulator registers
            a pair of inputs             2 registers of weights; each row's pair is broadcast
        epilogue                         bias, activation, post-op; rounded once

Each accumulator adds up its pairs in order, so results per row are independent of the batch.
"""

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir

from pipeline.engines.vibevoice.kernels.abi import ADD, GELU, GEMM_ARGUMENTS, MULTIPLY, PANEL, ROWS, SILU
from pipeline.engines.vibevoice.kernels.ir_builder import (
    COUNT,
    FLOATS,
    HALF_BYTES,
    LANES,
    PAIR,
    PAIRS,
    POINTER,
    KernelBuilder,
    declare,
    function,
    kernel,
)

VECTORS = PANEL // LANES
AHEAD_BYTES = 256
"""Prefetch distance of weights. Of 128 to 8192, small ones are best."""
PANEL_PAIR_BYTES, PANEL_BYTES = 2 * HALF_BYTES * PANEL, HALF_BYTES * PANEL


def write(module: ir.Module, name: str) -> None:
    """Generate the kernel; each thread computes some panels of some blocks of rows."""
    epilogue = _epilogue(module)
    blocks = [_block(module, epilogue, rows) for rows in range(1, ROWS + 1)]
    thread = kernel(module, name, GEMM_ARGUMENTS)
    b, number, address = thread.b, thread.number, thread.address
    y_row_bytes = b.mul(number["panels"], COUNT(PANEL_BYTES))
    blocks_of_rows = b.udiv(
        b.sub(b.add(number["rows"], number["block_rows"]), COUNT(1)), number["block_rows"]
    )
    with b.loop(*thread.partition(b.mul(number["panels"], blocks_of_rows))) as part:
        panel = b.urem(part, number["panels"])
        start = b.mul(b.udiv(part, number["panels"]), number["block_rows"])
        weight = b.offset(address["weight"], b.mul(panel, b.mul(number["pairs"], COUNT(PANEL_PAIR_BYTES))))
        column = b.mul(panel, COUNT(PANEL_BYTES))
        end = b.minimum(number["rows"], b.add(start, number["block_rows"]))
        with b.loop(start, end, ROWS) as row:
            place = b.add(column, b.mul(row, y_row_bytes))
            arguments = [
                weight,
                b.offset(address["bias"], column),
                b.offset(address["x"], b.mul(row, number["x_row_bytes"])),
                b.offset(address["other"], place),
                b.offset(address["y"], place),
                y_row_bytes,
                *(number[word] for word in ("x_row_bytes", "pairs", "activation", "post_op")),
            ]
            _call_block(b, b.minimum(b.sub(end, row), COUNT(ROWS)), blocks, arguments)
    b.ret_void()


def _call_block(b: KernelBuilder, count: Any, blocks: Sequence[Any], arguments: Sequence[Any]) -> None:
    """Call the function for the given number of rows."""
    for rows, block in enumerate(blocks, 1):
        with b.if_then(b.icmp_unsigned("==", count, COUNT(rows))):
            b.call(block, arguments)


def _block(module: ir.Module, epilogue: Any, rows: int) -> Any:
    """Generate the function that multiplies a fixed number of rows with one panel."""
    fetch = declare(module, "llvm.prefetch.p0", ir.VoidType(), [POINTER, PAIR, PAIR, PAIR])
    types = [POINTER] * 5 + [COUNT] * 5
    b, (weight, bias, x, other, y, y_row_bytes, x_row_bytes, pairs, activation, post_op) = function(
        module, f"block_{rows}", types, inside=True
    )
    starts = [b.offset(x, b.mul(x_row_bytes, COUNT(row))) for row in range(rows)]
    totals = [[b.variable(FLOATS(None)) for _ in range(VECTORS)] for _ in range(rows)]
    with b.loop(COUNT(0), pairs) as pair:
        here = b.offset(weight, b.mul(pair, COUNT(PANEL_PAIR_BYTES)))
        vectors = [b.offset(here, COUNT(PANEL_PAIR_BYTES // VECTORS * place)) for place in range(VECTORS)]
        weights = [b.load(vector, typ=PAIRS, align=64) for vector in vectors]
        for vector in vectors:
            b.call(fetch, [b.offset(vector, COUNT(AHEAD_BYTES)), PAIR(0), PAIR(3), PAIR(1)])
        for start, sums in zip(starts, totals, strict=True):
            numbers = b.load(b.offset(start, b.mul(pair, COUNT(2 * HALF_BYTES))), typ=PAIR, align=HALF_BYTES)
            to_all = b.bitcast(b.broadcast(numbers), PAIRS)
            for total, vector in zip(sums, weights, strict=True):
                b.store(b.dot(b.load(total, typ=FLOATS), vector, to_all), total)
    for row, sums in enumerate(totals):
        for place, total in enumerate(sums):
            across = COUNT(HALF_BYTES * LANES * place)
            offset = b.add(b.mul(y_row_bytes, COUNT(row)), across)
            places = [b.offset(bias, across), b.offset(other, offset), b.offset(y, offset)]
            b.call(epilogue, [b.load(total, typ=FLOATS), *places, activation, post_op])
    b.ret_void()
    return b.function


def _epilogue(module: ir.Module) -> Any:
    """Generate the epilogue, from 16 accumulators to 16 results."""
    types = [FLOATS, POINTER, POINTER, POINTER, COUNT, COUNT]
    b, (total, bias, other, y, activation, post_op) = function(module, "epilogue", types, inside=True)
    b.function.attributes.add("noinline")  # called from many places, once per thousands of additions
    value = b.variable(b.fadd(total, b.load_bf16(bias)))

    def changed(kind: Any, which: int, change: Callable[[Any], Any]) -> None:
        with b.if_then(b.icmp_unsigned("==", kind, COUNT(which))):
            b.store(change(b.load(value, typ=FLOATS)), value)

    changed(activation, SILU, b.silu)
    changed(activation, GELU, b.gelu)
    changed(post_op, MULTIPLY, lambda numbers: b.fmul(numbers, b.load_bf16(other)))
    changed(post_op, ADD, lambda numbers: b.fadd(numbers, b.load_bf16(other)))
    b.store_bf16(b.load(value, typ=FLOATS), y)
    b.ret_void()
    return b.function
