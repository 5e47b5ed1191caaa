"""Merge an adapter into a checkpoint's weights while they are loaded."""

import pickle
from pathlib import Path

import torch

from pipeline.engines.vibevoice.checkpoint.adapter import Adapter, Change, Replacement, Shapes
from pipeline.engines.vibevoice.checkpoint.mapped_tensor import at_least_float32, mapped
from pipeline.engines.vibevoice.checkpoint.stored_files import read_tensors, refuse_pointer
from pipeline.errors import EngineError


class Merge:
    """Changes of an adapter, each applied when its weight is loaded.

    A merged weight is rounded to the type of the checkpoint's own before any conversion, so that it equals
    that of a checkpoint that was merged and saved beforehand.
    """

    def __init__(self, adapter: Adapter, weights: Shapes) -> None:
        """
        Args:
            weights: shapes of the checkpoint's tensors.

        Raises:
            EngineError: the adapter does not fit the checkpoint, or a file of it is damaged.
        """
        self.scale = adapter.scale
        self.files = {part.file: _opened(part.file) for part in adapter.parts}
        self.changes = adapter.changes(self._shapes, weights)

    def __call__(self, name: str, weight: torch.Tensor) -> torch.Tensor:
        """Apply the change of a weight, if any, on the device and in the type of `weight`."""
        change = self.changes.get(name)
        if change is None:
            return weight
        return self._changed(change, weight, at_least_float32(weight.dtype)).to(weight.dtype)

    def _changed(self, change: Change, weight: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        if isinstance(change, Replacement):
            whole = self._tensor(change.file, change.name, weight.device, dtype)
            return torch.lerp(weight.to(dtype), whole, self.scale)
        a = self._tensor(change.file, change.a, weight.device, dtype)
        b = self._tensor(change.file, change.b, weight.device, dtype)
        return (b @ a).mul_(change.factor * self.scale).add_(weight)

    def _tensor(self, file: Path, name: str, device: torch.device, dtype: torch.dtype) -> torch.Tensor:
        return self.files[file][name].to(device=device, dtype=dtype)

    def _shapes(self, file: Path) -> Shapes:
        return {name: tuple(tensor.shape) for name, tensor in self.files[file].items()}


def _opened(file: Path) -> dict[str, torch.Tensor]:
    """Open a file of tensors, safetensors or pickled.

    Raises:
        EngineError: it is damaged, or has other objects than tensors.
    """
    if file.suffix != ".bin":
        return {name: mapped(tensor) for name, tensor in read_tensors(file).items()}
    refuse_pointer(file)
    try:
        found = torch.load(file, map_location="cpu", mmap=True, weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError) as reason:
        raise EngineError(f"the adapter's {file} is damaged, or not a file of tensors") from reason
    if not isinstance(found, dict) or not all(isinstance(one, torch.Tensor) for one in found.values()):
        raise EngineError(f"the adapter's {file} is not a dictionary of tensors")
    return found
