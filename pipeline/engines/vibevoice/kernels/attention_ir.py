"""LLVM IR of decode attention. Threads divide the key heads of all rows.

Scores of all positions first, then their softmax, then the weighted sum of values, all in float32. A row's
result depends on its own past alone.
"""

from collections.abc import Sequence
from typing import Any

from llvmlite import ir

from pipeline.engines.vibevoice.kernels.abi import ATTENTION_ARGUMENTS, SCORES
from pipeline.engines.vibevoice.kernels.ir_builder import (
    COUNT,
    FLOAT,
    FLOATS,
    HALF_BYTES,
    LANES,
    PAIRS,
    KernelBuilder,
    KernelThread,
    kernel,
    splat,
)

FLOAT_BYTES = 4
VECTOR_BYTES = FLOAT_BYTES * LANES
ACROSS = 4
"""Registers of values per pass; with six queries, 24 accumulators."""
LOWEST = -3e38


def write(module: ir.Module, name: str, group: int, size: int) -> None:
    """Generate the kernel; each thread computes some key heads.

    Args:
        group: queries per key head.
        size: elements of a head.
    """
    thread = kernel(module, name, ATTENTION_ARGUMENTS)
    b, number, address = thread.b, thread.number, thread.address
    size_bytes = COUNT(HALF_BYTES * size)
    scale = thread.splat("scale")
    scores_bytes = b.mul(number["score_row_bytes"], COUNT(group))
    scratch = b.offset(address["scores"], b.mul(thread.index(), scores_bytes))
    scores = [b.offset(scratch, b.mul(number["score_row_bytes"], COUNT(query))) for query in range(group)]
    with b.loop(*thread.partition(b.mul(number["rows"], number["key_heads"]))) as part:
        row, head = b.udiv(part, number["key_heads"]), b.urem(part, number["key_heads"])
        position = _load_index(b, address["positions"], row)
        keys = _head_cache(thread, _load_index(b, address["slots"], row), head)
        values = b.offset(keys, number["value_bytes"])
        pair = b.offset(
            address["pairs"], b.add(b.mul(row, number["pair_row_bytes"]), b.mul(head, size_bytes))
        )
        here = b.mul(position, size_bytes)
        _copy(b, pair, b.offset(keys, here), size)
        _copy(b, b.offset(pair, b.mul(number["key_heads"], size_bytes)), b.offset(values, here), size)
        group_bytes = COUNT(HALF_BYTES * size * group)
        within = b.mul(head, group_bytes)
        queries = b.offset(address["queries"], b.add(b.mul(row, number["query_row_bytes"]), within))
        y = b.offset(address["y"], b.mul(part, group_bytes))
        length = b.add(position, COUNT(1))
        _score(b, queries, keys, length, scores, size)
        inverse_sums = [_softmax(b, line, length, scale) for line in scores]
        _sum(b, scores, inverse_sums, values, length, y, size)
    b.ret_void()


def _load_index(b: KernelBuilder, numbers: Any, place: Any) -> Any:
    return b.load(b.offset(numbers, b.mul(place, COUNT(8))), typ=COUNT)


def _head_cache(thread: KernelThread, slot: Any, head: Any) -> Any:
    b, number = thread.b, thread.number
    offset = b.add(b.mul(slot, number["slot_bytes"]), b.mul(head, number["head_bytes"]))
    return b.offset(thread.address["cache"], offset)


def _copy(b: KernelBuilder, source: Any, target: Any, size: int) -> None:
    for place in range(0, HALF_BYTES * size, VECTOR_BYTES):
        numbers = b.load(b.offset(source, COUNT(place)), typ=PAIRS, align=HALF_BYTES)
        b.store(numbers, b.offset(target, COUNT(place)), align=HALF_BYTES)


def _score(b: KernelBuilder, queries: Any, keys: Any, length: Any, scores: Sequence[Any], size: int) -> None:
    """Compute the dot products of all queries and keys, padded to whole registers with a very low score."""
    places = range(0, HALF_BYTES * size, VECTOR_BYTES)
    asked = [
        [
            b.load(b.offset(queries, COUNT(HALF_BYTES * size * query + place)), typ=PAIRS, align=HALF_BYTES)
            for place in places
        ]
        for query in range(len(scores))
    ]
    with b.loop(COUNT(0), length) as position:
        key = b.offset(keys, b.mul(position, COUNT(HALF_BYTES * size)))
        parts = [b.load(b.offset(key, COUNT(place)), typ=PAIRS, align=HALF_BYTES) for place in places]
        for line, query in zip(scores, asked, strict=True):
            total = FLOATS(None)
            for mine, part in zip(query, parts, strict=True):
                total = b.dot(total, mine, part)
            b.store(b.first_lane(b.reduce_sum(total)), b.offset(line, b.mul(position, COUNT(FLOAT_BYTES))))
    with b.loop(length, _rounded_up(b, length)) as position:
        for line in scores:
            b.store(FLOAT(LOWEST), b.offset(line, b.mul(position, COUNT(FLOAT_BYTES))))


def _softmax(b: KernelBuilder, scores: Any, length: Any, scale: Any) -> Any:
    """Replace scores by unnormalised softmax weights, and return the inverse of their sum."""
    end = _rounded_up(b, length)
    top, total = b.variable(splat(LOWEST)), b.variable(FLOATS(None))
    with b.loop(COUNT(0), end, LANES) as position:
        numbers = b.load(b.offset(scores, b.mul(position, COUNT(FLOAT_BYTES))), typ=FLOATS, align=FLOAT_BYTES)
        b.store(b.intrinsic("maxnum", numbers, b.load(top, typ=FLOATS)), top)
    highest = b.reduce_max(b.load(top, typ=FLOATS))
    with b.loop(COUNT(0), end, LANES) as position:
        place = b.offset(scores, b.mul(position, COUNT(FLOAT_BYTES)))
        numbers = b.load(place, typ=FLOATS, align=FLOAT_BYTES)
        weights = b.exp(b.fmul(b.fsub(numbers, highest), scale))
        b.store(weights, place, align=FLOAT_BYTES)
        b.store(b.fadd(weights, b.load(total, typ=FLOATS)), total)
    return b.fdiv(splat(1.0), b.reduce_sum(b.load(total, typ=FLOATS)))


def _sum(
    b: KernelBuilder,
    scores: Sequence[Any],
    inverse_sums: Sequence[Any],
    values: Any,
    length: Any,
    y: Any,
    size: int,
) -> None:
    """Sum the values by their weights, some registers per pass."""
    whole = range(0, HALF_BYTES * size, HALF_BYTES * LANES)
    for start in range(0, len(whole), ACROSS):
        places = whole[start : start + ACROSS]
        sums = [[b.variable(FLOATS(None)) for _ in places] for _ in scores]
        with b.loop(COUNT(0), length) as position:
            value = b.offset(values, b.mul(position, COUNT(HALF_BYTES * size)))
            parts = [b.load_bf16(b.offset(value, COUNT(place))) for place in places]
            for line, totals in zip(scores, sums, strict=True):
                weight = b.broadcast(b.load(b.offset(line, b.mul(position, COUNT(FLOAT_BYTES))), typ=FLOAT))
                for total, part in zip(totals, parts, strict=True):
                    b.store(b.intrinsic("fma", weight, part, b.load(total, typ=FLOATS)), total)
        for query, (totals, inverse_sum) in enumerate(zip(sums, inverse_sums, strict=True)):
            for total, place in zip(totals, places, strict=True):
                out = b.offset(y, COUNT(HALF_BYTES * size * query + place))
                b.store_bf16(b.fmul(b.load(total, typ=FLOATS), inverse_sum), out)


def _rounded_up(b: KernelBuilder, length: Any) -> Any:
    """Round a length up to whole registers of scores."""
    return b.mul(b.udiv(b.add(length, COUNT(SCORES - 1)), COUNT(SCORES)), COUNT(LANES))
