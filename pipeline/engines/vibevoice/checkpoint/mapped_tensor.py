"""Stored tensors as torch's, over the file's pages."""

import torch

from pipeline.engines.vibevoice.checkpoint.stored_files import Tensor

KINDS = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


def mapped(tensor: Tensor) -> torch.Tensor:
    """A stored tensor whose memory is the file's, private to this process and read when touched."""
    pages, start = tensor.map()
    kind = KINDS[tensor.kind]
    flat = torch.frombuffer(pages, dtype=kind, offset=start, count=tensor.size_bytes // kind.itemsize)
    return flat.view(tensor.shape)


def wide(dtype: torch.dtype) -> torch.dtype:
    """The type for what half precision would spoil: angles, solver states, merged weights."""
    return torch.float64 if dtype == torch.float64 else torch.float32
