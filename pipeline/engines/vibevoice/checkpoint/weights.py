"""Weights on a device, read tensor by tensor when asked for, so that a part that isn't needed is never
loaded.
"""

import torch

from pipeline.engines.vibevoice.checkpoint.files import Checkpoint
from pipeline.engines.vibevoice.checkpoint.mapped_tensor import mapped, wide
from pipeline.engines.vibevoice.checkpoint.merging import Merge

__all__ = ["Weights", "wide"]


class Weights:
    """A checkpoint's tensors in one type on one device, with its adapter merged into them."""

    def __init__(self, checkpoint: Checkpoint, dtype: torch.dtype, device: torch.device) -> None:
        """
        Raises:
            EngineError: the adapter does not fit the checkpoint.
        """
        self.checkpoint, self.dtype, self.device = checkpoint, dtype, device
        adapter = checkpoint.adapter
        self.merge = None if adapter is None else Merge(adapter, checkpoint.architecture.shapes())

    def __call__(self, name: str) -> torch.Tensor:
        """The tensor of that name. Where no conversion is needed its memory is the file's, mapped and
        private.
        """
        weight = mapped(self.checkpoint.tensor(name))
        if self.merge is not None:
            weight = self.merge(name, weight.to(self.device))
        return weight.to(device=self.device, dtype=self.dtype)

    def rows(self, name: str, indices: list[int]) -> torch.Tensor:
        """(len(indices), columns), copied: the rest of the table is not read. No adapter changes a table."""
        return mapped(self.checkpoint.tensor(name))[indices].to(device=self.device, dtype=self.dtype)

    def joined(self, *names: str) -> torch.Tensor:
        """Several tensors, one below the other."""
        return torch.cat([self(name) for name in names])
