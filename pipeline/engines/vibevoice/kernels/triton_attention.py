"""Decode attention as Flash-Decoding, in two Triton kernels: parts of the past in parallel, then their sum.

The number of parts depends on the capacity and the number of slots alone, so results per row are independent
of the batch. All queries that share a key head are one tile. torch's kernel needs four more launches for its
layout. Source: https://pytorch.org/blog/flash-decoding/.
"""

# mypy: disable-error-code="no-untyped-def"

import torch
import triton
import triton.language as tl

QUERIES = 16
"""Queries of a tile; those of a key head are padded to it."""
TOKENS = 64
"""Positions of the past per tile."""
PARTS_MAX = 16
"""Most parts of a row's past."""


def supports(queries: torch.Tensor, key_heads: int) -> bool:
    """Return True if the kernels support queries (rows, heads, size)."""
    size = queries.shape[2]
    group = queries.shape[1] // key_heads
    half = queries.dtype in (torch.bfloat16, torch.float16)
    return half and group <= QUERIES and size in (64, 128)


def attend(
    queries: torch.Tensor, store: torch.Tensor, first: torch.Tensor, lengths: torch.Tensor, capacity: int
) -> torch.Tensor:
    """Attend from one position of every row to its past.

    Args:
        queries: (rows, heads, head size), contiguous.
        store: (tokens, 2, key heads, head size), keys and values.
        first: (rows,) int64, first token of each row.
        lengths: (rows,) int32, tokens that each row sees, at least 1.
        capacity: most tokens of a row.

    Returns:
        (rows, heads, head size).
    """
    rows, heads, size = queries.shape
    key_heads = store.shape[2]
    parts = PARTS_MAX if rows <= 32 else PARTS_MAX // 4
    part = -(-capacity // (parts * TOKENS)) * TOKENS
    sums = torch.empty(rows, key_heads, parts, QUERIES, size, dtype=torch.float32, device=queries.device)
    scales = torch.empty(rows, key_heads, parts, QUERIES, 2, dtype=torch.float32, device=queries.device)
    out = torch.empty_like(queries)
    group = heads // key_heads
    _parts[(parts, key_heads, rows)](
        queries, store, first, lengths, sums, scales, size**-0.5 * 1.4426950408889634,
        store.stride(0), store.stride(1), store.stride(2), part,
        KEY_HEADS=key_heads, PARTS=parts, GROUP=group, QUERIES=QUERIES, SIZE=size, TOKENS=TOKENS,
        num_warps=4,
    )  # fmt: skip
    _sum[(key_heads, rows)](
        sums, scales, out,
        KEY_HEADS=key_heads, PARTS=parts, GROUP=group, QUERIES=QUERIES, SIZE=size, num_warps=4,
    )  # fmt: skip
    return out


@triton.jit  # type: ignore[untyped-decorator,unused-ignore]  # triton is untyped
def _parts(
    queries, store, first, lengths, sums, scales, scale, token_stride, pair_stride, head_stride, part,
    KEY_HEADS: tl.constexpr, PARTS: tl.constexpr, GROUP: tl.constexpr, QUERIES: tl.constexpr,
    SIZE: tl.constexpr, TOKENS: tl.constexpr,
):  # fmt: skip
    number, head, row = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    length = tl.load(lengths + row)
    start = number * part
    end = tl.minimum(length, start + part)
    each, size = tl.arange(0, QUERIES), tl.arange(0, SIZE)
    real = each < GROUP
    base = (row * KEY_HEADS + head) * GROUP * SIZE
    query = tl.load(queries + base + each[:, None] * SIZE + size[None, :], mask=real[:, None], other=0.0)
    top = tl.full((QUERIES,), -float("inf"), tl.float32)
    total = tl.zeros((QUERIES,), tl.float32)
    found = tl.zeros((QUERIES, SIZE), tl.float32)
    origin = store + tl.load(first + row) * token_stride + head * head_stride
    for token in range(start, end, TOKENS):
        tokens = token + tl.arange(0, TOKENS)
        seen = tokens < end
        at = origin + tokens.to(tl.int64)[None, :] * token_stride + size[:, None]
        keys = tl.load(at, mask=seen[None, :], other=0.0)
        scores = tl.where(seen[None, :], tl.dot(query, keys) * scale, -float("inf"))
        higher = tl.maximum(top, tl.max(scores, 1))
        weights = tl.exp2(scores - higher[:, None])
        shrunk = tl.exp2(top - higher)
        at = origin + pair_stride + tokens.to(tl.int64)[:, None] * token_stride + size[None, :]
        values = tl.load(at, mask=seen[:, None], other=0.0)
        found = found * shrunk[:, None] + tl.dot(weights.to(values.dtype), values)
        total = total * shrunk + tl.sum(weights, 1)
        top = higher
    place = ((row * KEY_HEADS + head) * PARTS + number) * QUERIES + each
    tl.store(scales + place * 2, top)
    tl.store(scales + place * 2 + 1, total)
    if start < length:
        tl.store(sums + place[:, None] * SIZE + size[None, :], found)


@triton.jit  # type: ignore[untyped-decorator,unused-ignore]  # triton is untyped
def _sum(
    sums, scales, out,
    KEY_HEADS: tl.constexpr, PARTS: tl.constexpr, GROUP: tl.constexpr, QUERIES: tl.constexpr,
    SIZE: tl.constexpr,
):  # fmt: skip
    head, row = tl.program_id(0), tl.program_id(1)
    each, size = tl.arange(0, QUERIES), tl.arange(0, SIZE)
    top = tl.full((QUERIES,), -float("inf"), tl.float32)
    for number in tl.static_range(PARTS):
        place = ((row * KEY_HEADS + head) * PARTS + number) * QUERIES + each
        top = tl.maximum(top, tl.load(scales + place * 2))
    total = tl.zeros((QUERIES,), tl.float32)
    found = tl.zeros((QUERIES, SIZE), tl.float32)
    for number in range(PARTS):
        place = ((row * KEY_HEADS + head) * PARTS + number) * QUERIES + each
        weight = tl.exp2(tl.load(scales + place * 2) - top)
        total += tl.load(scales + place * 2 + 1) * weight
        part = tl.load(sums + place[:, None] * SIZE + size[None, :], mask=(weight > 0.0)[:, None], other=0.0)
        found += part * weight[:, None]
    found = found / total[:, None]
    base = (row * KEY_HEADS + head) * GROUP * SIZE
    mask = (each < GROUP)[:, None]
    tl.store(out + base + each[:, None] * SIZE + size[None, :], found.to(out.dtype.element_ty), mask=mask)
