"""Weights on a device, read tensor by tensor when asked for, so that a part that isn't needed is never
loaded.
"""

import torch

from pipeline.engines.vibevoice.checkpoint.files import Checkpoint

KINDS = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


class Weights:
    """A checkpoint's tensors in one type on one device."""

    def __init__(self, checkpoint: Checkpoint, dtype: torch.dtype, device: torch.device) -> None:
        self.checkpoint, self.dtype, self.device = checkpoint, dtype, device

    def __call__(self, name: str) -> torch.Tensor:
        """The tensor of that name. Where no conversion is needed its memory is the file's, mapped and
        private.
        """
        tensor = self.checkpoint.tensor(name)
        pages, start = tensor.map()
        count = tensor.size_bytes // KINDS[tensor.kind].itemsize
        flat = torch.frombuffer(pages, dtype=KINDS[tensor.kind], offset=start, count=count)
        return flat.view(tensor.shape).to(device=self.device, dtype=self.dtype)

    def rows(self, name: str, indices: list[int]) -> torch.Tensor:
        """(len(indices), columns), copied: the rest of the table is not read."""
        tensor = self.checkpoint.tensor(name)
        pages, start = tensor.map()
        flat = torch.frombuffer(
            pages,
            dtype=KINDS[tensor.kind],
            offset=start,
            count=tensor.size_bytes // KINDS[tensor.kind].itemsize,
        )
        return flat.view(tensor.shape)[indices].to(device=self.device, dtype=self.dtype)

    def joined(self, *names: str) -> torch.Tensor:
        """Several tensors, one below the other."""
        return torch.cat([self(name) for name in names])


def wide(dtype: torch.dtype) -> torch.dtype:
    """The type for what half precision would spoil: angles, solver states."""
    return torch.float64 if dtype == torch.float64 else torch.float32
