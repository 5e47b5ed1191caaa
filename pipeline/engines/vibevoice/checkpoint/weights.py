"""Weights on a device, read tensor by tensor on demand."""

import torch

from pipeline.engines.vibevoice.checkpoint.files import Checkpoint
from pipeline.engines.vibevoice.checkpoint.mapped_tensor import at_least_float32, mapped
from pipeline.engines.vibevoice.checkpoint.merging import Merge

__all__ = ["Weights", "at_least_float32"]


class Weights:
    """Tensors of a checkpoint in one type on one device, with its adapter merged."""

    def __init__(self, checkpoint: Checkpoint, dtype: torch.dtype, device: torch.device) -> None:
        """
        Raises:
            EngineError: the adapter does not fit the checkpoint.
        """
        self.checkpoint, self.dtype, self.device = checkpoint, dtype, device
        adapter = checkpoint.adapter
        self.merge = None if adapter is None else Merge(adapter, checkpoint.architecture.shapes())

    def __call__(self, name: str) -> torch.Tensor:
        """Load a tensor by name; without conversion or adapter it is mapped copy-on-write."""
        weight = mapped(self.checkpoint.tensor(name))
        if self.merge is not None:
            weight = self.merge(name, weight.to(self.device))
        return weight.to(device=self.device, dtype=self.dtype)

    def rows(self, name: str, indices: list[int]) -> torch.Tensor:
        """Load rows of a table, (len(indices), columns), without reading the rest; no adapter changes one."""
        return mapped(self.checkpoint.tensor(name))[indices].to(device=self.device, dtype=self.dtype)

    def concatenated(self, *names: str) -> torch.Tensor:
        """Load several tensors, concatenated along the first dimension."""
        return torch.cat([self(name) for name in names])
