"""CUDA graphs: work on fixed memory is captured once, then replayed in one launch.

A frame has over a thousand kernels, and launching them one by one takes the host longer than they run. A
captured graph always reads and writes the same memory and never consults the host.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import torch

from pipeline.engines.vibevoice.runtime import torch_errors

log = logging.getLogger(__name__)

Capturable = Callable[[], None]
"""Work on memory at fixed addresses; it must be safe to run more than once."""

WARM_UP = 2
_CAPTURING = threading.Lock()
"""torch allows one capture at a time in a process."""


class Capture(Protocol):
    """Captures work; calling the result runs it again on the current contents of its memory."""

    def __call__(self, work: Capturable) -> Capturable: ...


class CudaGraphs:
    """Captures graphs on one stream and in one memory pool: they never run at the same time."""

    def __init__(self, device: torch.device) -> None:
        self.stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self.pool: Any = None

    def __call__(self, work: Capturable) -> Capturable:
        """Warm up, then capture the work, as torch's documentation describes. Must be called on `stream`.

        Raises:
            RuntimeError: the work can't be captured.
        """
        with _CAPTURING, torch.cuda.stream(self.stream):  # also where a failed capture leaves it
            for _ in range(WARM_UP):
                work()
            self.stream.synchronize()
            graph = torch.cuda.CUDAGraph()
            # Other threads may encode voices during the capture.
            how: Any = {"stream": self.stream, "capture_error_mode": "thread_local"}
            with torch.cuda.graph(graph, pool=self.pool, **how):
                work()
            if self.pool is None:
                self.pool = graph.pool()
        return graph.replay


def uncaptured(work: Capturable) -> Capturable:
    """Return the work uncaptured."""
    return work


class Captured:
    """LRU cache of captured work by shape, and the number of failed captures."""

    def __init__(self, capture: Capture, graphs_max: int) -> None:
        self.capture, self.graphs_max = capture, graphs_max
        self.replays: dict[int, Capturable] = {}
        self.refusals = 0

    def __call__(self, shape: int, work: Capturable) -> None:
        """Run the work; on the first call for a shape, capture it.

        Raises:
            torch.OutOfMemoryError: no memory is left for the capture.
        """
        replay = self.replays.pop(shape, None)
        if replay is None:
            replay = self._capture(work)
            if len(self.replays) == self.graphs_max:
                del self.replays[next(iter(self.replays))]
        self.replays[shape] = replay
        replay()

    def _capture(self, work: Capturable) -> Capturable:
        try:
            return self.capture(work)
        except RuntimeError as error:
            if torch_errors.is_out_of_memory(error) or torch_errors.device_is_lost(error):
                raise
            self.refusals += 1
            cause = torch_errors.first_line(error.__context__ or error)
            log.warning("CUDA graph capture failed, running uncaptured: %s", cause)
            return work


@contextmanager
def on_stream(capture: Capture) -> Iterator[None]:
    """Run the body on the stream of a capture, if it has one."""
    if isinstance(capture, CudaGraphs):
        with torch.cuda.stream(capture.stream):
            yield
    else:
        yield
