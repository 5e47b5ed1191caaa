"""Conversion of tensors to numpy arrays that need no torch to read, and back."""

import numpy as np
import numpy.typing as npt
import torch

from pipeline.engines.vibevoice.checkpoint.mapped_tensor import KINDS
from pipeline.engines.vibevoice.dtypes import BFLOAT16

NAMES = {dtype: kind for kind, dtype in KINDS.items()}


def pack(tensor: torch.Tensor) -> tuple[npt.NDArray[np.generic], str]:
    """Convert a tensor to an array and the name of its dtype; bfloat16 is passed as bits in uint16."""
    tensor = tensor.detach().cpu().contiguous()
    plain = tensor.view(torch.uint16) if tensor.dtype == torch.bfloat16 else tensor
    return plain.numpy(), NAMES[tensor.dtype]


def unpack(array: npt.NDArray[np.generic], kind: str) -> torch.Tensor:
    """Convert the result of `pack` back to a tensor."""
    tensor = torch.tensor(array)
    return tensor.view(torch.bfloat16) if kind == BFLOAT16.stored_name else tensor
