"""CUDA graphs: work on fixed memory is captured once, then launched as one.

A frame is a thousand kernels and more, and launching them one by one takes a GPU's host longer than they run.
What is captured always reads and writes the same memory and asks nothing of the host.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import torch

from pipeline.engines.vibevoice.runtime import torch_errors

log = logging.getLogger(__name__)

Work = Callable[[], None]
"""Reads and writes memory that stays where it is; running it more than once harms nothing."""

WARM_UP = 2
_CAPTURING = threading.Lock()
"""torch allows one capture at a time in a process."""


class Capture(Protocol):
    """Turns work into what runs it again on whatever its memory then holds."""

    def __call__(self, work: Work) -> Work: ...


class CudaGraphs:
    """Captures on a stream of its own, all graphs in one memory pool: they never run at the same time."""

    def __init__(self, device: torch.device) -> None:
        self.stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self.pool: Any = None

    def __call__(self, work: Work) -> Work:
        """As torch's documentation says: some runs first, so that kernels and workspaces are there, then the
        capture. Must be called on `stream`.

        Raises:
            RuntimeError: the work can't be captured.
        """
        with _CAPTURING, torch.cuda.stream(self.stream):  # also where a failed capture ends it
            for _ in range(WARM_UP):
                work()
            self.stream.synchronize()
            graph = torch.cuda.CUDAGraph()
            # Other threads encode voices meanwhile.
            how: Any = {"stream": self.stream, "capture_error_mode": "thread_local"}
            with torch.cuda.graph(graph, pool=self.pool, **how):
                work()
            if self.pool is None:
                self.pool = graph.pool()
        return graph.replay


def uncaptured(work: Work) -> Work:
    """The work as it is."""
    return work


class Captured:
    """Captured work by its shape, the most recently used ones, and how often it could not be captured."""

    def __init__(self, capture: Capture, most: int) -> None:
        self.capture, self.most = capture, most
        self.replays: dict[int, Work] = {}
        self.refusals = 0

    def __call__(self, shape: int, work: Work) -> None:
        """Run the work; the first time for a shape it is captured too.

        Raises:
            torch.OutOfMemoryError: there is no room for it.
        """
        replay = self.replays.pop(shape, None)
        if replay is None:
            replay = self._capture(work)
            if len(self.replays) == self.most:
                del self.replays[next(iter(self.replays))]
        self.replays[shape] = replay
        replay()

    def _capture(self, work: Work) -> Work:
        try:
            return self.capture(work)
        except RuntimeError as error:
            if torch_errors.is_out_of_memory(error) or torch_errors.device_is_lost(error):
                raise
            self.refusals += 1
            log.warning("no CUDA graph: %s", torch_errors.first_line(error.__context__ or error))
            return work


@contextmanager
def on_stream(capture: Capture) -> Iterator[None]:
    """The stream on which that captures, if it has one."""
    if isinstance(capture, CudaGraphs):
        with torch.cuda.stream(capture.stream):
            yield
    else:
        yield
