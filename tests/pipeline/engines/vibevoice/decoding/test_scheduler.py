"""Scheduler of continuous batching: order, resources, time limits, out of memory."""

import os
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from bench.harness import tiny
from bench.harness.controls import Watch
from bench.harness.waiting import until
from pipeline.engines import load_timing
from pipeline.engines.vibevoice.checkpoint.files import open_checkpoint
from pipeline.engines.vibevoice.checkpoint.weights import Weights
from pipeline.engines.vibevoice.decoding.cuda_graphs import Capturable
from pipeline.engines.vibevoice.decoding.decoder import Decoder, DecoderRow
from pipeline.engines.vibevoice.decoding.frame_decoder import FrameDecoder
from pipeline.engines.vibevoice.decoding.request import Limits, SegmentRequest
from pipeline.engines.vibevoice.decoding.scheduler import OVERTAKEN_MAX, Scheduler
from pipeline.engines.vibevoice.model.model import Model
from pipeline.errors import DeadlineError, DeviceLostError, EngineError

WAIT_S = 30.0


@pytest.fixture(scope="module")
def model(talkative: Path) -> Model:
    return Model(Weights(open_checkpoint(str(talkative)).check(), torch.float32, torch.device("cpu")), 512)


def scheduler(model: Model, slots: int, idle_s: float = 60.0) -> Scheduler:
    limits = Limits(slots, positions=512, frames=256, prefix_bytes=1 << 20)
    return Scheduler(lambda count: Decoder(model, limits), slots, idle_s)


def request(frames: int, seed: int = 0) -> Callable[[], SegmentRequest]:
    prompt = torch.randn(12, 64, generator=torch.Generator().manual_seed(seed))
    prompt[:, 0] = tiny.LEVEL
    return lambda: SegmentRequest(prompt, (4,), torch.Generator().manual_seed(seed), tokens_max=frames)


@pytest.mark.slow
def test_the_longest_waiting_segment_goes_first(model: Model) -> None:
    batch, ended = scheduler(model, 1), []

    def run(frames: int) -> None:
        batch.decode(request(frames), frames, Watch())
        ended.append(frames)

    with ThreadPoolExecutor(4) as threads:
        first: Future[None] = threads.submit(run, 60)
        until(lambda: bool(batch.active))
        others = [threads.submit(run, frames) for frames in (3, 30, 10)]
        until(lambda: len(batch.waiting) == 3)
        for future in (first, *others):
            future.result()
    assert ended == [60, 30, 10, 3]


@pytest.mark.slow
def test_a_segment_is_overtaken_a_limited_number_of_times(model: Model) -> None:
    batch, ended = scheduler(model, 1), []

    def run(frames: int) -> None:
        batch.decode(request(frames), frames, Watch())
        ended.append(frames)

    with ThreadPoolExecutor(9) as threads:
        futures = [threads.submit(run, 60)]
        until(lambda: bool(batch.active))
        futures.append(threads.submit(run, 3))
        until(lambda: len(batch.waiting) == 1)
        futures += [threads.submit(run, 20 + n) for n in range(7)]
        until(lambda: len(batch.waiting) == 8)
        for future in futures:
            future.result()
    assert ended.index(3) == 1 + OVERTAKEN_MAX


def test_the_batch_size_is_reported_to_a_segment(model: Model) -> None:
    batch, watch = scheduler(model, 3), Watch()
    with ThreadPoolExecutor(3) as threads:
        others = [threads.submit(batch.decode, request(40, n), 40, Watch()) for n in (1, 2)]
        until(lambda: len(batch.active) == 2)
        batch.decode(request(9), 9, watch)
        for other in others:
            other.result()
    assert watch.batch_size == 3


def test_slots_stay_filled_while_segments_wait(model: Model) -> None:
    batch = scheduler(model, 3)
    with ThreadPoolExecutor(12) as threads:
        list(threads.map(lambda n: batch.decode(request(10 + n, n), 10 + n, Watch()), range(12)))
    assert batch.filled == sum(10 + n for n in range(12))
    assert batch.filled / (3 * batch.steps) > 0.6


def test_an_idle_scheduler_unloads_and_starts_again(model: Model) -> None:
    batch = scheduler(model, 2, idle_s=0.05)
    before = batch.decode(request(3), 3, Watch())
    until(lambda: batch.decoder is None and batch.thread is None)
    assert batch.decode(request(3), 3, Watch()).tobytes() == before.tobytes()


def test_segments_report_how_long_they_waited_for_the_decoder(model: Model) -> None:
    """The first waits for the whole load, one that arrives meanwhile for the rest, a later one not at all."""
    begun, come, limits = threading.Event(), threading.Event(), Limits(2, positions=512, frames=256)

    def make(count: int) -> Decoder:
        begun.set()
        come.wait(WAIT_S)
        time.sleep(0.2)
        return Decoder(model, limits)

    batch = Scheduler(make, 2, 60.0)

    def waited(seed: int) -> list[float]:
        reported: list[float] = []
        with load_timing.measured(reported.append):
            batch.decode(request(3, seed), 3, Watch())
        return reported

    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(waited, 1)
        begun.wait(WAIT_S)
        time.sleep(0.1)
        second = threads.submit(waited, 2)
        until(lambda: len(batch.waiting) == 2)
        come.set()
        (longer,), (shorter,) = first.result(), second.result()
    assert longer - 0.1 >= shorter >= 0.2
    assert waited(3) == []


@pytest.mark.slow
def test_a_waiting_segment_checks_its_control(model: Model) -> None:
    batch = scheduler(model, 1)

    class Late(Watch):
        def check(self) -> None:
            raise DeadlineError(2.0, 1.0)

    with ThreadPoolExecutor(2) as threads:
        busy = threads.submit(batch.decode, request(60), 60, Watch())
        until(lambda: bool(batch.active))
        with pytest.raises(DeadlineError):
            batch.decode(request(5), 5, Late())
        assert busy.result().size == 60 * 3200


@pytest.mark.slow
def test_the_time_of_earlier_segments_is_reported_exactly(model: Model) -> None:
    batch, first, second = scheduler(model, 1), Watch(), Watch()
    with ThreadPoolExecutor(2) as threads:
        busy = threads.submit(batch.decode, request(60), 60, first)
        until(lambda: bool(batch.active))
        came = time.monotonic()
        waits = threads.submit(batch.decode, request(40), 40, second)
        busy.result()
        free = time.monotonic()
        waits.result()
        ended = time.monotonic()
    assert 0 < second.waited_s <= free - came + 0.1
    assert ended - came - second.waited_s >= 0.8 * (ended - free)


def test_loading_and_prefill_do_not_count_as_a_segments_own_time(model: Model) -> None:
    class SlowReader(Decoder):
        def admit(self, requests: Mapping[int, SegmentRequest]) -> dict[int, DecoderRow]:
            time.sleep(0.6)
            return super().admit(requests)

    def make(count: int) -> Decoder:
        time.sleep(0.6)
        return SlowReader(model, Limits(count, positions=512, frames=256))

    batch, watch = Scheduler(make, 2, 60.0), Watch()
    came = time.monotonic()
    batch.decode(request(20), 20, watch)
    assert 1.2 <= watch.waited_s <= time.monotonic() - came


class Hanging(Decoder):
    """Decoder whose steps block until `go_on` is set."""

    go_on = threading.Event()

    def step(self) -> None:
        self.go_on.wait(WAIT_S)
        super().step()


def test_a_stalled_device_counts_as_lost(model: Model) -> None:
    batch = Scheduler(lambda count: Hanging(model, Limits(count, positions=512, frames=256)), 1, 60.0, 1.0)
    with pytest.raises(DeviceLostError, match="made no progress for 1 s"):
        batch.decode(request(3), 3, Watch())
    Hanging.go_on.set()


class Broken(Decoder):
    """Decoder whose device has a permanent fault."""

    def step(self) -> None:
        raise torch.AcceleratorError("CUDA error: an illegal memory access was encountered\nadvice")


def test_a_lost_device_fails_every_segment(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fault also occurs again when torch frees memory."""

    def fault() -> None:
        raise torch.AcceleratorError("CUDA error: an illegal memory access was encountered")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "empty_cache", fault)
    batch = Scheduler(lambda count: Broken(model, Limits(count, positions=512, frames=256)), 1, 60.0)
    for _ in range(2):
        with pytest.raises(DeviceLostError, match=r"illegal memory access was encountered$"):
            batch.decode(request(3), 3, Watch())


def test_out_of_memory_frees_a_decoder_before_the_next_is_loaded(model: Model) -> None:
    made: list[weakref.ref[Decoder]] = []

    class Short(Decoder):
        def step(self) -> None:
            if self.limits.slots > 2:
                raise torch.OutOfMemoryError("no room")
            super().step()

    def make(count: int) -> Decoder:
        assert all(earlier() is None for earlier in made)
        decoder = Short(model, Limits(count, positions=512, frames=256))
        made.append(weakref.ref(decoder))
        return decoder

    batch = Scheduler(make, 8, 0.2)
    assert batch.decode(request(3), 3, Watch()).size == 3 * 3200
    assert (len(made), batch.slots) == (3, 2)
    until(lambda: batch.thread is None)
    assert batch.slots == 8, "the shortage may have passed"


def test_a_failed_load_fails_the_waiting_segments_but_not_later_ones(model: Model) -> None:
    made: list[Decoder] = []

    def make(count: int) -> Decoder:
        if not made:
            made.append(Decoder(model, Limits(count, positions=512, frames=256)))
            raise EngineError("the checkpoint is gone")
        return made[0]

    batch = Scheduler(make, 1, 60.0)
    with pytest.raises(EngineError, match="is gone"):
        batch.decode(request(3), 3, Watch())
    assert batch.decode(request(3), 3, Watch()).size == 3 * 3200


OUT_OF_MEMORY = """
import resource, sys
from concurrent.futures import ThreadPoolExecutor
import torch
from pipeline.engines.vibevoice.checkpoint.files import open_checkpoint
from pipeline.engines.vibevoice.decoding.decoder import Decoder, Limits
from pipeline.engines.vibevoice.model.model import Model
from pipeline.engines.vibevoice.decoding.scheduler import OVERTAKEN_MAX, Scheduler
from pipeline.engines.vibevoice.checkpoint.weights import Weights
from pipeline.errors import OutOfMemoryError
from bench.harness.controls import Watch
from tests.pipeline.engines.vibevoice.decoding.test_scheduler import request

torch.set_num_threads(1)
model = Model(Weights(open_checkpoint(sys.argv[1]), torch.float32, torch.device("cpu")), 512)
positions = int(sys.argv[2])
batch = Scheduler(lambda n: Decoder(model, Limits(n, positions, frames=256)), 8, 60.0)
held = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (held + (600 << 20), held + (600 << 20)))
try:
    with ThreadPoolExecutor(8) as threads:
        sizes = [a.size for a in threads.map(lambda n: batch.decode(request(4, n), 4, Watch()), range(8))]
    print(batch.slots, set(sizes) == {4 * 3200})
except OutOfMemoryError as error:
    print("gave up", batch.slots, error)
"""


def run_out_of_memory(talkative: Path, positions: int) -> str:
    """Run a process with little memory and `positions` per slot (100 MB for 131,072); returns its output."""
    code = [sys.executable, "-c", OUT_OF_MEMORY, str(talkative), str(positions)]
    small = {**os.environ, "MALLOC_ARENA_MAX": "1"}
    return subprocess.run(code, check=True, capture_output=True, text=True, env=small).stdout


@pytest.mark.slow
def test_out_of_memory_halves_the_slots_and_no_segment_is_lost(talkative: Path) -> None:
    assert run_out_of_memory(talkative, 1 << 17) in ("1 True\n", "2 True\n", "4 True\n")


@pytest.mark.slow
def test_out_of_memory_with_one_slot_is_an_error(talkative: Path) -> None:
    assert "gave up 1 out of memory even with one slot" in run_out_of_memory(talkative, 1 << 21)


GROWTH = """
import sys
from concurrent.futures import ThreadPoolExecutor
import torch
from pipeline.engines.vibevoice.runtime import allocator
from pipeline.engines.vibevoice.checkpoint.files import open_checkpoint
from pipeline.engines.vibevoice.decoding.decoder import Decoder, Limits
from pipeline.engines.vibevoice.model.model import Model
from pipeline.engines.vibevoice.decoding.scheduler import Scheduler
from pipeline.engines.vibevoice.checkpoint.weights import Weights
from tests.pipeline.engines.vibevoice import heap
from bench.harness.controls import Watch
from tests.pipeline.engines.vibevoice.decoding.test_scheduler import request

torch.set_num_threads(1)
allocator.retain_freed_blocks()
allocator.cap_primitive_caches()
model = Model(Weights(open_checkpoint(sys.argv[1]), torch.float32, torch.device("cpu")), 512)
batch = Scheduler(lambda slots: Decoder(model, Limits(slots, positions=512, frames=256)), 4, 60.0)

def speak(count):
    with ThreadPoolExecutor(8) as threads:
        for _ in threads.map(lambda n: batch.decode(request(60, n), 60, Watch()), range(count)):
            pass
    return heap.used()

warm = speak(12)
print(speak(36) - warm)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_segments(talkative: Path) -> None:
    code = [sys.executable, "-c", GROWTH, str(talkative)]
    grown = int(subprocess.run(code, check=True, capture_output=True, text=True).stdout)
    assert grown < 16 << 20, "the sound alone has 28 MB; kernels come and go"


def test_graphs_that_could_not_be_captured_are_reported(model: Model) -> None:
    def refuses(work: Capturable) -> Capturable:
        raise RuntimeError("operation not permitted when stream is capturing")

    limits = Limits(1, positions=512, frames=256, prefix_bytes=1 << 20)
    batch = Scheduler(lambda _: FrameDecoder(model, limits, capture=refuses), 1, 60.0)
    control = Watch()
    samples = batch.decode(request(3), 3, control)
    assert len(samples) == 3 * model.hop
    assert control.refused == 2, "a bucket of prompts, and the frame"
