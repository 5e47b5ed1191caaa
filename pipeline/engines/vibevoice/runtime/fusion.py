"""Fused kernels: regions of a frame compiled by Inductor (torch.compile), used inside our own CUDA graphs.

A region is a function of tensors, or of objects that hold tensors. It is traced once per set of shapes. The
compiled kernels are captured like any others, so torch.compile does not run during decoding.
"""

import logging
from collections.abc import Callable
from typing import ParamSpec, Protocol, TypeVar

import torch

from pipeline.engines.vibevoice.runtime import torch_internals

log = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")

TRACES_MAX = 256
"""Most traces of one region, over all shapes, layers and decoders of a process."""


class Fuser(Protocol):
    """Returns a callable that runs a region, compiled or not."""

    own_kernels: bool
    """True if our own Triton kernels replace the regions that they cover."""

    def __call__(self, region: Callable[P, R]) -> Callable[P, R]: ...


class NoFusion:
    """Runs regions uncompiled."""

    own_kernels = False

    def __call__(self, region: Callable[P, R]) -> Callable[P, R]:
        return region


class InductorFusion:
    """Compiles regions with Inductor. If compiling fails (no C compiler, say), regions run uncompiled."""

    def __init__(self, backend: str = "inductor", *, own_kernels: bool = False) -> None:
        self.backend, self.own_kernels = backend, own_kernels
        self.failed = False
        self.compiled: dict[object, Callable[..., object]] = {}

    def __call__(self, region: Callable[P, R]) -> Callable[P, R]:
        """Return the compiled region, which is traced as one graph at its first call."""
        if self.failed:
            return region
        key = (getattr(region, "__func__", region), getattr(region, "__self__", None))
        if key not in self.compiled:
            torch_internals.limit_traces(TRACES_MAX, 8 * TRACES_MAX)
            self.compiled[key] = torch.compile(region, fullgraph=True, dynamic=False, backend=self.backend)
        return self.compiled[key]  # type: ignore[return-value]  # stored under the region itself

    def degrade(self, error: Exception) -> bool:
        """Compile less from now on, if compiling caused the error: no own kernels at first, then nothing.

        Returns:
            False if the error has another cause, or nothing is compiled already.
        """
        if self.own_kernels and (isinstance(error, ImportError) or _module(error).startswith("triton")):
            self.own_kernels = False
        elif not self.failed and torch_internals.is_compiler_error(error):
            self.failed = True
            self.compiled.clear()
        else:
            return False
        log.warning("fused kernels are off: %s", str(error).partition("\n")[0])
        return True


def _module(error: Exception) -> str:
    return type(error).__module__
