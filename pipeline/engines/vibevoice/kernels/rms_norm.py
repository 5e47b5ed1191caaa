"""x / rms(x) * scale + shift in bfloat16, in one call where torch takes eight operations."""

import functools

import torch

from pipeline.engines.vibevoice.kernels.runtime import bits, library

VECTOR = 16
"""Numbers at once."""


def takes(width: int) -> bool:
    return width % VECTOR == 0


def norm(
    x: torch.Tensor,
    epsilon: float,
    scale: torch.Tensor | None = None,
    shift: torch.Tensor | None = None,
    out: torch.Tensor | None = None,
) -> torch.Tensor:
    """Each row by its root mean square.

    Args:
        x: (..., width), bfloat16.
        scale: (width,), or like x; 1 by default.
        shift: as scale; 0 by default.
        out: (groups, rows of each, width), whose groups may lie apart; for x of that shape.

    Returns:
        As x, rounded once.
    """
    x, width = x.contiguous(), x.shape[-1]
    rows = x.numel() // width
    y = torch.empty_like(x) if out is None else out
    group, y_group_bytes = (rows, 0) if out is None else (out.shape[1], out.stride(0) * out.element_size())
    scale, shift = _row(width, 1.0) if scale is None else scale, _row(width, 0.0) if shift is None else shift
    told = (
        x.data_ptr(), scale.data_ptr(), shift.data_ptr(), y.data_ptr(),
        rows, width // VECTOR, _row_bytes(scale), _row_bytes(shift), group, y_group_bytes,
        bits(epsilon), bits(1 / width),
    )  # fmt: skip
    library().run("norm", told, torch.get_num_threads())
    return y


def _row_bytes(rows: torch.Tensor) -> int:
    """How far apart rows lie; 0 for one that is the same for all."""
    return rows.stride(-2) * rows.element_size() if rows.dim() > 1 else 0


@functools.cache
def _row(width: int, number: float) -> torch.Tensor:
    return torch.full((width,), number, dtype=torch.bfloat16)
