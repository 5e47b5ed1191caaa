"""Arguments and tile sizes shared by a kernel and its caller. Imports nothing."""

ATTENTION_ARGUMENTS = (
    "queries", "pairs", "cache", "slots", "positions", "scores", "y",
    "rows", "key_heads", "query_row_bytes", "pair_row_bytes", "slot_bytes", "value_bytes", "head_bytes",
    "score_row_bytes", "scale",
)  # fmt: skip
SCORES = 16
"""Multiple of positions to which scores are padded."""

RMS_NORM_ARGUMENTS = (
    "x", "scale", "shift", "y",
    "rows", "vectors", "scale_row_bytes", "shift_row_bytes", "group", "y_group_bytes",
    "epsilon", "inverse_width",
)  # fmt: skip

GEMM_ARGUMENTS = (
    "weight", "bias", "x", "other", "y",
    "rows", "pairs", "x_row_bytes", "panels", "block_rows", "activation", "post_op",
)  # fmt: skip
PANEL = 32
"""Output channels of a weight that are packed together."""
ROWS = 12
"""Rows of a register tile."""
NO_ACTIVATION, SILU, GELU = range(3)
"""Activation in the epilogue of a GEMM."""
NO_POST_OP, MULTIPLY, ADD = range(3)
"""Binary operation in the epilogue of a GEMM, after the activation."""
