"""Tensors as arrays that any process can read, and back."""

import numpy as np
import numpy.typing as npt
import torch

from pipeline.engines.vibevoice.checkpoint.mapped_tensor import KINDS

NAMES = {dtype: kind for kind, dtype in KINDS.items()}


def pack(tensor: torch.Tensor) -> tuple[npt.NDArray[np.generic], str]:
    """The array and the kind of its numbers; bfloat16 goes as its bits, in uint16."""
    tensor = tensor.detach().cpu().contiguous()
    plain = tensor.view(torch.uint16) if tensor.dtype == torch.bfloat16 else tensor
    return plain.numpy(), NAMES[tensor.dtype]


def unpack(array: npt.NDArray[np.generic], kind: str) -> torch.Tensor:
    """The tensor of what `pack` made."""
    tensor = torch.tensor(array)
    return tensor.view(torch.bfloat16) if kind == "BF16" else tensor
