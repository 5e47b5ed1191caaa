"""Memory-mapped torch tensors of safetensors files."""

import torch

from pipeline.engines.vibevoice.checkpoint.stored_files import Tensor
from pipeline.engines.vibevoice.dtypes import DTYPES

TORCH_DTYPES: dict[str, torch.dtype] = {dtype.name: getattr(torch, dtype.name) for dtype in DTYPES}
KINDS = {dtype.stored_name: TORCH_DTYPES[dtype.name] for dtype in DTYPES}


def mapped(tensor: Tensor) -> torch.Tensor:
    """Map a stored tensor: its pages are those of the file, copy-on-write and read when touched."""
    pages, start = tensor.map()
    kind = KINDS[tensor.kind]
    flat = torch.frombuffer(pages, dtype=kind, offset=start, count=tensor.size_bytes // kind.itemsize)
    return flat.view(tensor.shape)


def at_least_float32(dtype: torch.dtype) -> torch.dtype:
    """Return the type itself or float32, whichever is wider: for angles, solver states, merged weights."""
    return torch.float64 if dtype == torch.float64 else torch.float32
