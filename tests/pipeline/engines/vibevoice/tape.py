"""Stand-ins for a GPU: replay of a run's operators like a CUDA graph, and a count of synchronisations."""

import traceback
from collections import Counter
from functools import cached_property
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from pipeline.engines.vibevoice.decoding.cuda_graphs import Capturable

WAITING = {
    "_local_scalar_dense", "item", "is_nonzero", "equal", "nonzero", "masked_select", "_unique2",
    "bincount", "lift_fresh", "repeat_interleave",
}  # fmt: skip
"""Operators that wait for the device, or copy from the host."""
INDEXING = {"index", "index_put", "index_put_", "_unsafe_index"}


class IllegalError(RuntimeError):
    """Operator that CUDA rejects while capturing."""


class Tape(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch is partly untyped
    """Operators of one run with their memory; a replay runs them again and allocates nothing."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.retained: list[tuple[Any, Any, Any, Any]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = func._schema.name.partition("::")[2]
        if name in WAITING or (name in INDEXING and any(_masks(one) for one in args[1])):
            raise IllegalError(f"{func} while capturing")
        made = func(*args, **kwargs)
        self.retained.append((func, args, kwargs, made))
        return made

    @cached_property
    def steps(self) -> list[tuple[Any, Any, Any, list[torch.Tensor]]]:
        """Operators that compute, each with the tensors that its results are copied to."""
        return [
            (func, args, kwargs, [] if func._schema.is_mutable else _tensors(made))
            for func, args, kwargs, made in self.retained
            if func._schema.is_mutable or not _is_view(args, made)
        ]

    def replay(self) -> None:
        """Run the operators again, into the results of the first run."""
        for func, args, kwargs, old in self.steps:
            again = func(*args, **kwargs)
            for into, new in zip(old, _tensors(again) if old else [], strict=True):
                into.copy_(new)


def taped(work: Capturable) -> Capturable:
    """Capture work on a tape; like `CudaGraphs`, run it once before."""
    work()
    tape = Tape()
    with tape:
        work()
    return tape.replay


class Crossings(TorchFunctionMode):
    """Counts copies between host and device, each of which makes the host wait, by source line."""

    def __init__(self) -> None:
        super().__init__()
        self.found: Counter[str] = Counter()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        given = (*args[1:], *kwargs.values())
        if (
            (name in ("__getitem__", "__setitem__") and _lists(args[1]))
            or (name == "tensor" and "device" in kwargs)
            or (name == "to" and any(isinstance(one, torch.device) for one in given))
            or name in ("tolist", "item", "cpu", "__bool__", "__int__", "__float__")
        ):
            self.found[_line()] += 1
        return func(*args, **kwargs)


def _is_view(args: Any, made: Any) -> bool:
    """Return True if the result shares memory with an argument; `reshape` and `to` may do either."""
    given = {one.untyped_storage().data_ptr() for one in _tensors(args)}
    return any(one.untyped_storage().data_ptr() in given for one in _tensors(made))


def _masks(index: torch.Tensor | None) -> bool:
    return index is not None and index.dtype == torch.bool


def _lists(index: Any) -> bool:
    parts = index if isinstance(index, tuple) else (index,)
    return any(isinstance(one, list) or (isinstance(one, torch.Tensor) and _masks(one)) for one in parts)


def _tensors(tree: Any) -> list[torch.Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, torch.Tensor)]


def _line() -> str:
    frames = [frame for frame in traceback.extract_stack() if "/engines/vibevoice/" in frame.filename]
    return f"{frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}"
