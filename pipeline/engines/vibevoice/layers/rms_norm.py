"""RMS norm (arXiv:1910.07467), in our own kernel where it supports the type and width."""

import torch
import torch.nn.functional as F

from pipeline.engines.vibevoice.checkpoint.weights import at_least_float32
from pipeline.engines.vibevoice.kernels import rms_norm, runtime


def weighted(x: torch.Tensor, weight: torch.Tensor, epsilon: float) -> torch.Tensor:
    """Return x / rms(x) * weight, with x (..., width) and weight (width,)."""
    if _native(x):
        return rms_norm.norm(x, epsilon, weight)
    return F.rms_norm(x, weight.shape, weight, epsilon)


def modulated(x: torch.Tensor, scale: torch.Tensor, shift: torch.Tensor, epsilon: float) -> torch.Tensor:
    """Return x / rms(x) * scale + shift, all (rows, width): the adaptive norm of the diffusion head."""
    if _native(x):
        return rms_norm.norm(x, epsilon, scale, shift)
    return torch.addcmul(shift, F.rms_norm(x, x.shape[-1:], None, epsilon), scale)


def plain(x: torch.Tensor, epsilon: float, out: torch.Tensor | None = None) -> torch.Tensor:
    """Return x / rms(x) over the channels of x (rows, time, channels).

    Args:
        out: where the result is written, of the shape of x; its rows need not be contiguous.
    """
    if _native(x):
        return rms_norm.norm(x, epsilon, out=out)
    if torch.compiler.is_compiling():  # its tracer rejects an `out` whose rows are not contiguous
        y = x * _inverse_rms(x, epsilon)
        return y if out is None else out.copy_(y)
    return torch.mul(x, _inverse_rms(x, epsilon), out=out)


def _native(x: torch.Tensor) -> bool:
    return runtime.usable(x.dtype, x.device) and rms_norm.supports(x.shape[-1])


def _inverse_rms(x: torch.Tensor, epsilon: float) -> torch.Tensor:
    """Return 1 / rms of x (..., channels) as (..., 1).

    Multiplying x by it gives `torch.rms_norm(x)` in fewer passes over x and without a copy in another type.
    """
    found: torch.Tensor = torch.linalg.vector_norm(x, dim=-1, keepdim=True, dtype=at_least_float32(x.dtype))
    return found.square_().div_(x.shape[-1]).add_(epsilon).rsqrt_().to(x.dtype)
