"""Fused kernels: regions of a frame compiled by Inductor (torch.compile), used inside our own CUDA graphs.

A region is a function of tensors, or of objects that hold tensors. It is traced once for each set of shapes,
and what it compiles to is captured like any other kernel: nothing of torch.compile runs during decoding.
"""

import logging
from collections.abc import Callable
from typing import ParamSpec, Protocol, TypeVar

import torch
from torch._dynamo.exc import TorchDynamoException
from torch._inductor.exc import InductorError

log = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")

TRACES_MAX = 256
"""Of one region, over all shapes, layers and decoders of a process."""


class Fused(Protocol):
    """Turns a region into what runs it."""

    def __call__(self, region: Callable[P, R]) -> Callable[P, R]: ...


def unfused(region: Callable[P, R]) -> Callable[P, R]:
    """The region as it is."""
    return region


class Fusion:
    """Compiles regions; runs them as they are once compiling has failed."""

    def __init__(self, backend: str = "inductor") -> None:
        self.backend = backend
        self.failed = False
        self.compiled: dict[object, Callable[..., object]] = {}

    def __call__(self, region: Callable[P, R]) -> Callable[P, R]:
        """The compiled region, traced whole at its first call."""
        if self.failed:
            return region
        key = (getattr(region, "__func__", region), getattr(region, "__self__", None))
        if key not in self.compiled:
            torch._dynamo.config.recompile_limit = TRACES_MAX
            torch._dynamo.config.accumulated_recompile_limit = 8 * TRACES_MAX
            self.compiled[key] = torch.compile(region, fullgraph=True, dynamic=False, backend=self.backend)
        return self.compiled[key]  # type: ignore[return-value]  # kept under the region itself

    def owns(self, error: Exception) -> bool:
        """True if that comes from compiling, not from what was compiled."""
        return isinstance(error, (TorchDynamoException, InductorError))

    def give_up(self, error: Exception) -> None:
        """Run regions as they are from now on; a worker without a C compiler lands here."""
        self.failed = True
        self.compiled.clear()
        log.warning("no fused kernels: %s", str(error).partition("\n")[0])
