"""What the processor runs for a `product`.

    rows that stay in a cache            threads share the panels, and these blocks where rows are many
    a panel of 32 outer numbers
        12 rows                          24 registers of totals
            a pair of inner numbers      2 registers of weights; each row's pair goes to all lanes
        what follows                     bias, activation, another factor or term; rounded once

Each total is one chain of additions in the order of the pairs, whatever the rows beside it: a row has the
same bits in any company.
"""

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir

from pipeline.engines.vibevoice.kernels.abi import GELU, GEMM_ARGUMENTS, PANEL, PLUS, ROWS, SILU, TIMES
from pipeline.engines.vibevoice.kernels.ir_builder import (
    COUNT,
    FLOATS,
    HALF_BYTES,
    LANES,
    PAIR,
    PAIRS,
    POINTER,
    Writer,
    declared,
    function,
    kernel,
)

VECTORS = PANEL // LANES
AHEAD_BYTES = 256
"""How far before their use weights are fetched. Of 128 to 8192, near is best."""
PANEL_PAIR_BYTES, PANEL_BYTES = 2 * HALF_BYTES * PANEL, HALF_BYTES * PANEL


def write(module: ir.Module, name: str) -> None:
    """One thread's part: blocks of rows, and of each some panels."""
    finish = _finish(module)
    blocks = [_block(module, finish, rows) for rows in range(1, ROWS + 1)]
    job = kernel(module, name, GEMM_ARGUMENTS)
    b, number, address = job.b, job.number, job.address
    y_row_bytes = b.mul(number["panels"], COUNT(PANEL_BYTES))
    blocks_of_rows = b.udiv(
        b.sub(b.add(number["rows"], number["block_rows"]), COUNT(1)), number["block_rows"]
    )
    with b.counted(*job.share(b.mul(number["panels"], blocks_of_rows))) as part:
        panel = b.urem(part, number["panels"])
        start = b.mul(b.udiv(part, number["panels"]), number["block_rows"])
        weight = b.at(address["weight"], b.mul(panel, b.mul(number["pairs"], COUNT(PANEL_PAIR_BYTES))))
        column = b.mul(panel, COUNT(PANEL_BYTES))
        end = b.least(number["rows"], b.add(start, number["block_rows"]))
        with b.counted(start, end, ROWS) as row:
            place = b.add(column, b.mul(row, y_row_bytes))
            arguments = [
                weight,
                b.at(address["bias"], column),
                b.at(address["x"], b.mul(row, number["x_row_bytes"])),
                b.at(address["other"], place),
                b.at(address["y"], place),
                y_row_bytes,
                *(number[word] for word in ("x_row_bytes", "pairs", "activation", "joining")),
            ]
            _call_one(b, b.least(b.sub(end, row), COUNT(ROWS)), blocks, arguments)
    b.ret_void()


def _call_one(b: Writer, count: Any, blocks: Sequence[Any], arguments: Sequence[Any]) -> None:
    """The block of so many rows."""
    for rows, block in enumerate(blocks, 1):
        with b.if_then(b.icmp_unsigned("==", count, COUNT(rows))):
            b.call(block, arguments)


def _block(module: ir.Module, finish: Any, rows: int) -> Any:
    """So many rows with one panel, all inner numbers."""
    fetch = declared(module, "llvm.prefetch.p0", ir.VoidType(), [POINTER, PAIR, PAIR, PAIR])
    types = [POINTER] * 5 + [COUNT] * 5
    b, (weight, bias, x, other, y, y_row_bytes, x_row_bytes, pairs, activation, joining) = function(
        module, f"block_{rows}", types, inside=True
    )
    starts = [b.at(x, b.mul(x_row_bytes, COUNT(row))) for row in range(rows)]
    totals = [[b.cell(FLOATS(None)) for _ in range(VECTORS)] for _ in range(rows)]
    with b.counted(COUNT(0), pairs) as pair:
        here = b.at(weight, b.mul(pair, COUNT(PANEL_PAIR_BYTES)))
        vectors = [b.at(here, COUNT(PANEL_PAIR_BYTES // VECTORS * place)) for place in range(VECTORS)]
        weights = [b.load(vector, typ=PAIRS, align=64) for vector in vectors]
        for vector in vectors:
            b.call(fetch, [b.at(vector, COUNT(AHEAD_BYTES)), PAIR(0), PAIR(3), PAIR(1)])
        for start, sums in zip(starts, totals, strict=True):
            numbers = b.load(b.at(start, b.mul(pair, COUNT(2 * HALF_BYTES))), typ=PAIR, align=HALF_BYTES)
            to_all = b.bitcast(b.spread(numbers), PAIRS)
            for total, vector in zip(sums, weights, strict=True):
                b.store(b.dot(b.load(total, typ=FLOATS), vector, to_all), total)
    for row, sums in enumerate(totals):
        for place, total in enumerate(sums):
            across = COUNT(HALF_BYTES * LANES * place)
            offset = b.add(b.mul(y_row_bytes, COUNT(row)), across)
            places = [b.at(bias, across), b.at(other, offset), b.at(y, offset)]
            b.call(finish, [b.load(total, typ=FLOATS), *places, activation, joining])
    b.ret_void()
    return b.function


def _finish(module: ir.Module) -> Any:
    """What follows a product: 16 totals to 16 results."""
    types = [FLOATS, POINTER, POINTER, POINTER, COUNT, COUNT]
    b, (total, bias, other, y, activation, joining) = function(module, "finish", types, inside=True)
    b.function.attributes.add("noinline")  # called from many places, and once for thousands of additions
    value = b.cell(b.fadd(total, b.wide(bias)))

    def changed(kind: Any, which: int, change: Callable[[Any], Any]) -> None:
        with b.if_then(b.icmp_unsigned("==", kind, COUNT(which))):
            b.store(change(b.load(value, typ=FLOATS)), value)

    changed(activation, SILU, b.silu)
    changed(activation, GELU, b.gelu)
    changed(joining, TIMES, lambda numbers: b.fmul(numbers, b.wide(other)))
    changed(joining, PLUS, lambda numbers: b.fadd(numbers, b.wide(other)))
    b.keep(b.load(value, typ=FLOATS), y)
    b.ret_void()
    return b.function
