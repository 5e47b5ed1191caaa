"""Recorded parts say what the parts say. No GPU here: a stand-in for CUDA's recorder keeps its rules, that
inputs and result stay where they were, and that recording runs the work more than once.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from pipeline.engines.vibevoice.checkpoint.files import open_checkpoint
from pipeline.engines.vibevoice.checkpoint.weights import Weights
from pipeline.engines.vibevoice.decoding.cuda_graphs import Graphed, Work
from tests.pipeline.engines.vibevoice import segments
from tests.pipeline.engines.vibevoice.reference import Reference


def replayed(work: Work, inputs: tuple[Any, ...]) -> tuple[Callable[[], None], torch.Tensor]:
    """As `graphs.record`, with the work itself in place of its kernels."""
    work(*inputs)
    made = work(*inputs).clone()

    def replay() -> None:
        made.copy_(work(*inputs))

    return replay, made


@pytest.mark.parametrize("slots", [1, 3])
def test_a_recorded_loop_equals_generate(model: Reference, checkpoint: Path, slots: int) -> None:
    weights = Weights(open_checkpoint(str(checkpoint)).check(), torch.float64, torch.device("cpu"))
    cases = [
        segments.case(model, 20 + 3 * n, 40 + n, segments.spoken(model, frames))
        for n, frames in enumerate((5, 0, 9, 2))
    ]
    loop = segments.decoder(weights, slots, fixed_shapes=True, record=replayed)
    rows = segments.run(loop, [segments.request(model, one) for one in cases])
    for one, row in zip(cases, rows, strict=True):
        audio, tokens = segments.generated(model, one)
        assert row.tokens == tokens
        assert segments.relative_error(row.samples(), audio) <= 1e-9
    for part in (loop.sampler, loop.speech, loop.listener, loop.language):
        assert isinstance(part, Graphed)
        assert len(part.recordings) == 1, "one shape, one recording"


def test_recording_leaves_the_state_as_it_was() -> None:
    state = torch.zeros(3)
    part = Graphed(lambda x: state.add_(x).clone(), replayed, lambda: [state])
    assert part(torch.ones(3)).tolist() == [1, 1, 1]
    assert part(torch.full((3,), 2.0)).tolist() == [3, 3, 3]


def test_each_shape_and_number_has_a_recording_of_its_own() -> None:
    part = Graphed(lambda x, times: x * times, replayed)
    assert part(torch.ones(2), 3).tolist() == [3, 3]
    assert part(torch.ones(2), 4).tolist() == [4, 4]
    assert part(torch.ones(1), 4).tolist() == [4]
    assert len(part.recordings) == 3


def test_what_cannot_be_recorded_runs_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    def refuses(work: Work, inputs: tuple[Any, ...]) -> tuple[Callable[[], None], torch.Tensor]:
        raise RuntimeError("operation not permitted when stream is capturing\nmore")

    part = Graphed(lambda x: x + 1, refuses)
    assert part(torch.ones(1)).item() == part(torch.ones(1)).item() == 2
    assert [record.message for record in caplog.records] == [
        "no CUDA graph: operation not permitted when stream is capturing"
    ]


def test_out_of_memory_while_recording_is_told() -> None:
    def full(work: Work, inputs: tuple[Any, ...]) -> tuple[Callable[[], None], torch.Tensor]:
        raise torch.OutOfMemoryError

    with pytest.raises(torch.OutOfMemoryError):
        Graphed(lambda x: x, full)(torch.ones(1))
