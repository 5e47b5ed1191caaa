"""Arguments and tile sizes that a kernel and its caller agree on. Imports nothing."""

ATTENTION_ARGUMENTS = (
    "queries", "pairs", "cache", "slots", "positions", "scores", "y",
    "rows", "key_heads", "query_row_bytes", "pair_row_bytes", "slot_bytes", "value_bytes", "head_bytes",
    "score_row_bytes", "scale",
)  # fmt: skip
SCORES = 16
"""Positions are scored in multiples of these."""

RMS_NORM_ARGUMENTS = (
    "x", "scale", "shift", "y",
    "rows", "vectors", "scale_row_bytes", "shift_row_bytes", "group", "y_group_bytes", "epsilon", "share",
)  # fmt: skip

GEMM_ARGUMENTS = (
    "weight", "bias", "x", "other", "y",
    "rows", "pairs", "x_row_bytes", "panels", "block_rows", "activation", "joining",
)  # fmt: skip
PANEL = 32
"""Outer numbers of a weight that lie together."""
ROWS = 12
"""Rows that are multiplied at once."""
NOTHING, SILU, GELU = range(3)
"""Activation of a product."""
ALONE, TIMES, PLUS = range(3)
"""Joining of a product with another tensor."""
