"""Cache of captured work, and failed captures."""

import pytest
import torch

from pipeline.engines.vibevoice.decoding.cuda_graphs import Capturable, Captured, uncaptured


def test_work_is_captured_once_for_each_shape_and_the_oldest_goes() -> None:
    captures: list[Capturable] = []
    ran: list[int] = []

    def capture(work: Capturable) -> Capturable:
        captures.append(work)
        return work

    captured = Captured(capture, 2)
    for shape in (1, 2, 1, 3, 1, 2):
        captured(shape, lambda shape=shape: ran.append(shape))  # type: ignore[misc]  # bound at once
    assert ran == [1, 2, 1, 3, 1, 2]
    assert len(captures) == 4, "2 was given up for 3"


def test_work_that_cannot_be_captured_runs_as_it_is_and_is_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ran: list[int] = []

    def refuses(work: Capturable) -> Capturable:
        raise RuntimeError("operation not permitted when stream is capturing\nmore")

    captured = Captured(refuses, 2)
    captured(1, lambda: ran.append(1))
    captured(1, lambda: ran.append(2))
    assert ran == [1, 1]
    assert captured.refusals == 1
    assert [record.message for record in caplog.records] == [
        "CUDA graph capture failed, running uncaptured: operation not permitted when stream is capturing"
    ]


def test_running_out_of_memory_while_capturing_is_reported() -> None:
    def full(work: Capturable) -> Capturable:
        raise torch.OutOfMemoryError

    with pytest.raises(torch.OutOfMemoryError):
        Captured(full, 1)(1, lambda: None)


def test_uncaptured_work_is_the_work() -> None:
    ran: list[int] = []
    uncaptured(lambda: ran.append(1))()
    assert ran == [1]
