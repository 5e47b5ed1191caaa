"""RMS norm with scale and shift in bfloat16, in one kernel where torch needs eight operations."""

import functools

import torch

from pipeline.engines.vibevoice.kernels.runtime import float_bits, library

VECTOR = 16
"""Elements of a register."""


def supports(width: int) -> bool:
    """Return True if the kernel supports rows of that width."""
    return width % VECTOR == 0


def norm(
    x: torch.Tensor,
    epsilon: float,
    scale: torch.Tensor | None = None,
    shift: torch.Tensor | None = None,
    out: torch.Tensor | None = None,
) -> torch.Tensor:
    """Compute x / rms(x) * scale + shift (arXiv:1910.07467).

    Args:
        x: (..., width), bfloat16.
        scale: (width,), or the shape of x; 1 by default.
        shift: (width,), or the shape of x; 0 by default.
        out: (groups, rows, width), where the result is written for x of that shape; groups may be strided.

    Returns:
        (..., width), bfloat16, rounded once.
    """
    x, width = x.contiguous(), x.shape[-1]
    rows = x.numel() // width
    y = torch.empty_like(x) if out is None else out
    group, y_group_bytes = (rows, 0) if out is None else (out.shape[1], out.stride(0) * out.element_size())
    scale, shift = _row(width, 1.0) if scale is None else scale, _row(width, 0.0) if shift is None else shift
    arguments = (
        x.data_ptr(), scale.data_ptr(), shift.data_ptr(), y.data_ptr(),
        rows, width // VECTOR, _row_bytes(scale), _row_bytes(shift), group, y_group_bytes,
        float_bits(epsilon), float_bits(1 / width),
    )  # fmt: skip
    library().run("norm", arguments, torch.get_num_threads())
    return y


def _row_bytes(rows: torch.Tensor) -> int:
    """Return the stride of rows in bytes; 0 for one row that is broadcast."""
    return rows.stride(-2) * rows.element_size() if rows.dim() > 1 else 0


@functools.cache
def _row(width: int, number: float) -> torch.Tensor:
    return torch.full((width,), number, dtype=torch.bfloat16)
