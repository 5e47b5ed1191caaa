"""CUDA graphs: the kernels of a part are recorded once, then launched as one.

A frame is some three thousand small kernels, and launching them one by one takes a GPU's host longer than
they run. A recording always reads and writes the same memory, so what goes in is copied to where it was
recorded from, and whatever else the part reads or changes must stay where it is.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

log = logging.getLogger(__name__)

Work = Callable[..., torch.Tensor]
Record = Callable[[Work, tuple[Any, ...]], tuple[Callable[[], None], torch.Tensor]]
"""(work, its inputs) to what runs it again on whatever the inputs then hold, and where its result will be."""

WARM_UP = 2


def record(work: Work, inputs: tuple[Any, ...]) -> tuple[Callable[[], None], torch.Tensor]:
    """By CUDA, as its documentation says: first some runs on a stream of their own, then the recording."""
    aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(WARM_UP):
            work(*inputs)
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):  # other threads encode voices meanwhile
        made = work(*inputs)
    return graph.replay, made


@dataclass(frozen=True, slots=True)
class Recording:
    """One shape's."""

    inputs: tuple[torch.Tensor, ...]
    replay: Callable[[], None]
    made: torch.Tensor


class Graphed:
    """A part of the model, recorded at its first call with tensors of certain shapes.

    The part may change memory in place (`state`): recording runs it more than once, so that is put back.
    Where it can't be recorded it runs as it is, and a warning says so.
    """

    def __init__(self, work: Work, record: Record, state: Callable[[], list[torch.Tensor]] = list) -> None:
        self.work, self.record, self.state = work, record, state
        self.recordings: dict[Any, Recording] = {}
        self.refused = False

    def __call__(self, *inputs: Any) -> torch.Tensor:
        """As `work`; the result is overwritten by the next call."""
        if self.refused:
            return self.work(*inputs)
        tensors = tuple(one for one in inputs if isinstance(one, torch.Tensor))
        key = tuple(one.shape if isinstance(one, torch.Tensor) else one for one in inputs)
        if key not in self.recordings:
            try:
                self.recordings[key] = self._record(inputs)
            except torch.OutOfMemoryError:
                raise
            except RuntimeError as error:
                self.refused = True
                log.warning("no CUDA graph: %s", str(error).splitlines()[0])
                return self.work(*inputs)
        recording = self.recordings[key]
        for held, given in zip(recording.inputs, tensors, strict=True):
            held.copy_(given)
        recording.replay()
        return recording.made

    def _record(self, inputs: tuple[Any, ...]) -> Recording:
        held = tuple(one.clone() if isinstance(one, torch.Tensor) else one for one in inputs)
        before = [one.clone() for one in self.state()]
        try:
            replay, made = self.record(self.work, held)
        finally:
            for one, old in zip(self.state(), before, strict=True):
                one.copy_(old)
        return Recording(tuple(one for one in held if isinstance(one, torch.Tensor)), replay, made)
