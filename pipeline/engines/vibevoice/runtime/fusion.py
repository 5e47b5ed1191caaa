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

    own_kernels: bool
    """True where our own Triton kernels take the place of regions."""

    def __call__(self, region: Callable[P, R]) -> Callable[P, R]: ...


class Unfused:
    """Runs regions as they are."""

    own_kernels = False

    def __call__(self, region: Callable[P, R]) -> Callable[P, R]:
        return region


class Fusion:
    """Compiles regions. What can't be compiled, for want of a C compiler say, runs as it is from then on."""

    def __init__(self, backend: str = "inductor", *, own_kernels: bool = False) -> None:
        self.backend, self.own_kernels = backend, own_kernels
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

    def gives_up(self, error: Exception) -> bool:
        """True if the error comes from compiling and less will be compiled from now on: first none of our
        own kernels, then nothing.
        """
        if self.own_kernels and (isinstance(error, ImportError) or _module(error).startswith("triton")):
            self.own_kernels = False
        elif not self.failed and isinstance(error, (TorchDynamoException, InductorError)):
            self.failed = True
            self.compiled.clear()
        else:
            return False
        log.warning("no fused kernels: %s", str(error).partition("\n")[0])
        return True


def _module(error: Exception) -> str:
    return type(error).__module__
