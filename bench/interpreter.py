"""A fast decoding thread beside the threads that wait for it and beside a thread that computes in Python.

The real scheduler on a stand-in for a GPU whose frame takes 4 ms in one wait, as a frame that is one CUDA
graph does. Both figures come from one run, with the switch interval that decode workers set.
"""

import argparse
import json
import sys
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import torch

from bench.harness.controls import Watch
from pipeline.engines.vibevoice.decoding.request import SegmentRequest
from pipeline.engines.vibevoice.decoding.scheduler import Scheduler
from pipeline.engines.vibevoice.device import SWITCH_S
from pipeline.stitching.loudness import measure

FRAME_S = 0.004
RATE_HZ = 24_000


class Row:
    """A segment that ends after so many frames."""

    def __init__(self, frames: int) -> None:
        self.frames, self.frames_done, self.done = frames, 0, False

    def samples(self) -> npt.NDArray[np.floating]:
        return np.zeros(1, np.float32)


class Device:
    """A stand-in for a GPU: a step waits once, without the interpreter."""

    def __init__(self, slots: int) -> None:
        self.rows: list[Row | None] = [None] * slots
        self.passes, self.refusals = 0, None

    @property
    def free(self) -> list[int]:
        return [slot for slot, row in enumerate(self.rows) if row is None]

    def admit(self, requests: Mapping[int, SegmentRequest]) -> dict[int, Row]:
        for slot, request in requests.items():
            self.rows[slot] = Row(request.tokens_max)
        return {slot: self.row(slot) for slot in requests}

    def row(self, slot: int) -> Row:
        row = self.rows[slot]
        assert row is not None
        return row

    def release(self, slot: int) -> None:
        self.rows[slot] = None

    def step(self) -> None:
        time.sleep(FRAME_S)
        for row in self.rows:
            if row is not None:
                row.frames_done += 1
                row.done = row.frames_done >= row.frames


def frame_ms(slots: int, frames: int, *, python: bool = False, loudness: bool = False) -> float:
    """Milliseconds of a frame with all slots at work, beside what is asked for."""
    batch, stop = Scheduler(Device, slots, 60.0), threading.Event()
    sound = np.random.default_rng(0).normal(0, 0.1, 64 * RATE_HZ).astype(np.float32)

    def compute() -> None:
        while not stop.is_set():
            sum(number * number for number in range(2000))

    def level() -> None:
        while not stop.is_set():
            measure(sound, RATE_HZ)

    def request() -> SegmentRequest:
        return SegmentRequest(torch.zeros(1, 1), (), torch.Generator(), frames)

    others = [
        threading.Thread(target=work) for work, wanted in ((compute, python), (level, loudness)) if wanted
    ]
    with ThreadPoolExecutor(slots) as pool:
        for other in others:
            other.start()
        start = time.perf_counter()
        list(pool.map(lambda _: batch.decode(request, frames, Watch()), range(slots)))
        took = time.perf_counter() - start
    stop.set()
    for other in others:
        other.join()
    return 1e3 * took / batch.steps


def main() -> None:
    wanted = argparse.ArgumentParser(description=__doc__)
    wanted.add_argument("--slots", type=int, default=8)
    wanted.add_argument("--frames", type=int, default=500)
    given = wanted.parse_args()
    sys.setswitchinterval(SWITCH_S)
    alone = frame_ms(given.slots, given.frames)
    beside = frame_ms(given.slots, given.frames, python=True)
    leveling = frame_ms(given.slots, given.frames, loudness=True)
    print(
        json.dumps(
            {
                "slots": given.slots,
                "frame_ms": round(alone, 2),
                "beside_python_ms": round(beside, 2),
                "beside_python": round(beside / alone, 2),
                "beside_loudness": round(leveling / alone, 2),
            }
        )
    )


if __name__ == "__main__":
    main()
