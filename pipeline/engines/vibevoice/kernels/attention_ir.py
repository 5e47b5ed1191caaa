"""What the processor runs for `attend`: threads share the heads of keys of all rows.

Scores of all positions first, then their softmax, then the values' sum, all in float32. What a row gets
depends on nothing but its own past.
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
    Job,
    Writer,
    everywhere,
    kernel,
)

FLOAT_BYTES = 4
VECTOR_BYTES = FLOAT_BYTES * LANES
ACROSS = 4
"""Registers of values at once: with six queries 24 of sums."""
LOWEST = -3e38


def write(module: ir.Module, name: str, group: int, size: int) -> None:
    """One thread's part.

    Args:
        group: queries of a head of keys.
        size: of a head.
    """
    job = kernel(module, name, ATTENTION_ARGUMENTS)
    b, number, address = job.b, job.number, job.address
    size_bytes = COUNT(HALF_BYTES * size)
    scale = job.everywhere("scale")
    scores_bytes = b.mul(number["score_row_bytes"], COUNT(group))
    scratch = b.at(address["scores"], b.mul(job.thread(), scores_bytes))
    scores = [b.at(scratch, b.mul(number["score_row_bytes"], COUNT(query))) for query in range(group)]
    with b.counted(*job.share(b.mul(number["rows"], number["key_heads"]))) as part:
        row, head = b.udiv(part, number["key_heads"]), b.urem(part, number["key_heads"])
        position = _number(b, address["positions"], row)
        keys = _past(job, _number(b, address["slots"], row), head)
        values = b.at(keys, number["value_bytes"])
        pair = b.at(address["pairs"], b.add(b.mul(row, number["pair_row_bytes"]), b.mul(head, size_bytes)))
        here = b.mul(position, size_bytes)
        _copy(b, pair, b.at(keys, here), size)
        _copy(b, b.at(pair, b.mul(number["key_heads"], size_bytes)), b.at(values, here), size)
        group_bytes = COUNT(HALF_BYTES * size * group)
        within = b.mul(head, group_bytes)
        queries = b.at(address["queries"], b.add(b.mul(row, number["query_row_bytes"]), within))
        y = b.at(address["y"], b.mul(part, group_bytes))
        length = b.add(position, COUNT(1))
        _score(b, queries, keys, length, scores, size)
        shares = [_softmax(b, line, length, scale) for line in scores]
        _sum(b, scores, shares, values, length, y, size)
    b.ret_void()


def _number(b: Writer, numbers: Any, place: Any) -> Any:
    return b.load(b.at(numbers, b.mul(place, COUNT(8))), typ=COUNT)


def _past(job: Job, slot: Any, head: Any) -> Any:
    b, number = job.b, job.number
    offset = b.add(b.mul(slot, number["slot_bytes"]), b.mul(head, number["head_bytes"]))
    return b.at(job.address["cache"], offset)


def _copy(b: Writer, source: Any, target: Any, size: int) -> None:
    for place in range(0, HALF_BYTES * size, VECTOR_BYTES):
        numbers = b.load(b.at(source, COUNT(place)), typ=PAIRS, align=HALF_BYTES)
        b.store(numbers, b.at(target, COUNT(place)), align=HALF_BYTES)


def _score(b: Writer, queries: Any, keys: Any, length: Any, scores: Sequence[Any], size: int) -> None:
    """Products of every query with every key, and something very low up to a whole register."""
    places = range(0, HALF_BYTES * size, VECTOR_BYTES)
    asked = [
        [
            b.load(b.at(queries, COUNT(HALF_BYTES * size * query + place)), typ=PAIRS, align=HALF_BYTES)
            for place in places
        ]
        for query in range(len(scores))
    ]
    with b.counted(COUNT(0), length) as position:
        key = b.at(keys, b.mul(position, COUNT(HALF_BYTES * size)))
        parts = [b.load(b.at(key, COUNT(place)), typ=PAIRS, align=HALF_BYTES) for place in places]
        for line, query in zip(scores, asked, strict=True):
            total = FLOATS(None)
            for mine, part in zip(query, parts, strict=True):
                total = b.dot(total, mine, part)
            b.store(b.first(b.summed(total)), b.at(line, b.mul(position, COUNT(FLOAT_BYTES))))
    with b.counted(length, _rounded(b, length)) as position:
        for line in scores:
            b.store(FLOAT(LOWEST), b.at(line, b.mul(position, COUNT(FLOAT_BYTES))))


def _softmax(b: Writer, scores: Any, length: Any, scale: Any) -> Any:
    """Scores become weights that sum to what is returned the inverse of."""
    end = _rounded(b, length)
    top, total = b.cell(everywhere(LOWEST)), b.cell(FLOATS(None))
    with b.counted(COUNT(0), end, LANES) as position:
        numbers = b.load(b.at(scores, b.mul(position, COUNT(FLOAT_BYTES))), typ=FLOATS, align=FLOAT_BYTES)
        b.store(b.lanewise("maxnum", numbers, b.load(top, typ=FLOATS)), top)
    highest = b.highest(b.load(top, typ=FLOATS))
    with b.counted(COUNT(0), end, LANES) as position:
        place = b.at(scores, b.mul(position, COUNT(FLOAT_BYTES)))
        numbers = b.load(place, typ=FLOATS, align=FLOAT_BYTES)
        weights = b.exp(b.fmul(b.fsub(numbers, highest), scale))
        b.store(weights, place, align=FLOAT_BYTES)
        b.store(b.fadd(weights, b.load(total, typ=FLOATS)), total)
    return b.fdiv(everywhere(1.0), b.summed(b.load(total, typ=FLOATS)))


def _sum(
    b: Writer, scores: Sequence[Any], shares: Sequence[Any], values: Any, length: Any, y: Any, size: int
) -> None:
    """The values by their weights, some registers of them at once."""
    whole = range(0, HALF_BYTES * size, HALF_BYTES * LANES)
    for start in range(0, len(whole), ACROSS):
        places = whole[start : start + ACROSS]
        sums = [[b.cell(FLOATS(None)) for _ in places] for _ in scores]
        with b.counted(COUNT(0), length) as position:
            value = b.at(values, b.mul(position, COUNT(HALF_BYTES * size)))
            parts = [b.wide(b.at(value, COUNT(place))) for place in places]
            for line, totals in zip(scores, sums, strict=True):
                weight = b.spread(b.load(b.at(line, b.mul(position, COUNT(FLOAT_BYTES))), typ=FLOAT))
                for total, part in zip(totals, parts, strict=True):
                    b.store(b.lanewise("fma", weight, part, b.load(total, typ=FLOATS)), total)
        for query, (totals, share) in enumerate(zip(sums, shares, strict=True)):
            for total, place in zip(totals, places, strict=True):
                out = b.at(y, COUNT(HALF_BYTES * size * query + place))
                b.keep(b.fmul(b.load(total, typ=FLOATS), share), out)


def _rounded(b: Writer, length: Any) -> Any:
    """Up to whole registers of scores."""
    return b.mul(b.udiv(b.add(length, COUNT(SCORES - 1)), COUNT(SCORES)), COUNT(LANES))
