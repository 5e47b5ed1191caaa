"""Continuous batching in a real worker at VibeVoice 1.5B's full size, with jobs that arrive over time.

Scripts go through the whole pipeline: an intake worker, a CPU worker, and the decoding worker in the bench's
own process, so that its slots can be observed. Segments are the planner's, scaled down in words, frames,
prompts and recordings so that a run takes minutes; some run to twice their expected length. Throughput is
compared with that of full slots, measured before and after. Static batches are computed from the times of
steps and prefills. Takes about thirteen minutes on two cores (twenty-five without bfloat16, with fewer
segments), 8 GB of memory and 5.4 GB of disk.

A word is one token here, and turns are not scaled down. With labels and punctuation a segment of full length
has 1.5 positions a word; a published script of 17,816 words has 1.3 in Qwen's tokens.
"""

import json
import os
import random
import signal
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import torch

from bench.harness import fullsize
from bench.harness.controls import Watch
from bench.harness.fleet import Fleet
from bench.harness.recordings import recording
from bench.harness.scaled import SCALE, SETTING
from pipeline.engines.protocol import Line, SegmentText
from pipeline.engines.vibevoice.decoding.decoder import Decoder
from pipeline.engines.vibevoice.decoding.request import SegmentInputs, SegmentRequest, assemble_prompt
from pipeline.engines.vibevoice.decoding.scheduler import Scheduler
from pipeline.engines.vibevoice.runtime.tensor_arrays import unpack
from pipeline.jobs.artifacts import stage_name
from pipeline.voices.library import Voices
from tasks.make_app import make_app
from tasks.orchestration.resources import VoxchordApp
from tasks.settings import load
from tasks.worker import commands

T = TypeVar("T")

RATE_HZ = 24_000
TURN_WORDS = 25
REFERENCE_S = 30.0
WORDS = 200
"""Mean words of a segment."""
VOICE_FRAMES = 225
"""Frames of a reference of 30 seconds."""
ARRIVALS = ((0.0, 0.6), (10.0, 0.2), (20.0, 0.2))
"""Arrival times and sizes of the jobs."""
_LIMIT_S = 1800


class Slots(threading.Thread):
    """Observes the slots from the first step until no segment waits; what follows is the tail."""

    def __init__(self, batch: Scheduler) -> None:
        super().__init__(daemon=True)
        self.batch, self.over = batch, threading.Event()
        self.steps = self.filled = 0
        self.begin = self.end = 0.0

    def run(self) -> None:
        while not self.over.wait(0.01):
            if self.batch.steps and not self.begin:
                self.begin = time.perf_counter()
            if self.batch.steps and self.batch.waiting:
                self.steps, self.filled, self.end = self.batch.steps, self.batch.filled, time.perf_counter()


class Pace:
    """Records the times of a decoder's steps while all slots are in use."""

    def __init__(self, decoder: Decoder) -> None:
        self.took_s, step = list[float](), decoder.step

        def timed() -> None:
            full, start = not decoder.free, time.perf_counter()
            step()
            if full:
                self.took_s.append(time.perf_counter() - start)

        setattr(decoder, "step", timed)  # noqa: B010  # mypy wants no method assigned


def turns(seed: int, words: int) -> Iterator[str]:
    """Script of that many words, in turns of short sentences."""
    dice = random.Random(seed)
    while words > 0:
        turn = min(words, round(dice.uniform(0.5, 1.5) * TURN_WORDS))
        words -= turn
        said = list[str]()
        while turn > 0:
            count = min(turn, dice.randint(3, 7))
            said.append(" ".join(dice.choices(fullsize.WORDS, k=count)).capitalize() + ".")
            turn -= count
        yield " ".join(said)


def script(seed: int, words: int) -> str:
    """Script of two alternating speakers."""
    return "\n".join(f"{'AB'[number % 2]}: {turn}" for number, turn in enumerate(turns(seed, words)))


def run(fleet: Fleet, segments: int, scale: float, arrivals: Sequence[tuple[float, float]]) -> list[int]:
    """Send the jobs at their times and wait for all; returns the frames of their segments."""
    begin, sent = time.perf_counter(), []
    for number, (due_s, share) in enumerate(arrivals):
        time.sleep(max(0.0, begin + due_s - time.perf_counter()))
        text = script(segments + number, round(share * segments * WORDS * scale))
        kwargs = {"script": text, "voices": {"A": f"v{2 * number}", "B": f"v{2 * number + 1}"}}
        sent.append(fleet.app.send_task("voxchord.render", kwargs=kwargs, queue="voxchord"))
    frames = []
    for result in sent:
        job = result.get(timeout=_LIMIT_S, interval=0.2, disable_sync_subtasks=False)["job"]
        for segment in fleet.jobs.plans.segments(fleet.jobs.plans.need(job)):
            samples = fleet.jobs.store.need_arrays(stage_name(segment.key, "audio")).arrays["samples"].size
            frames.append(samples // 3200)
    return frames


def within(batch: Scheduler, work: Callable[[Decoder], T]) -> T:
    """Run a function in the idle decoding thread, so that its speed is comparable."""
    found: list[T] = []

    def make() -> SegmentRequest:
        assert batch.decoder is not None
        decoder = fullsize.on_cpu(batch.decoder)
        found.append(work(decoder))
        return SegmentRequest(talkative(decoder), (), torch.Generator(), tokens_max=1)

    batch.decode(make, 1, Watch())
    return found[0]


def talkative(decoder: Decoder) -> torch.Tensor:
    """Short prompt after which the model generates frames only."""
    rows = torch.full((40, 1536), 0.02, dtype=decoder.dtype)
    rows[:, 0] = fullsize.LEVEL
    return rows


def step_times(decoder: Decoder, frames: int = 6) -> list[float]:
    """Seconds of a step with 1, 2, … active rows."""
    rows, found = talkative(decoder), []
    for slot in range(decoder.limits.slots):
        noise = torch.Generator().manual_seed(slot)
        decoder.admit({slot: SegmentRequest(rows, (30,), noise, tokens_max=500)})
        took = []
        for _ in range(frames + 1):
            start = time.perf_counter()
            decoder.step()
            took.append(time.perf_counter() - start)
        if any(decoder.row(one).done for one in range(slot + 1)):
            raise RuntimeError("a row ended while its steps were timed")
        found.append(statistics.median(took[1:]))
    for slot in range(decoder.limits.slots):
        decoder.release(slot)
    return found


def static_s(lengths: Sequence[int], times: Sequence[float], read_s: float, *, leave: bool) -> float:
    """Seconds of static batches; with `leave`, finished rows are no longer computed.

    Args:
        read_s: prefill of a batch's prompts in one pass.
    """
    slots, total = len(times), 0.0
    for start in range(0, len(lengths), slots):
        batch = lengths[start : start + slots]
        total += read_s * len(batch) / slots
        for frame in range(max(batch)):
            rows = sum(length > frame for length in batch) if leave else len(batch)
            total += times[rows - 1]
    return total


def prompts(engine: Any, decoder: Decoder, words: int, voices: int, frames: int) -> list[SegmentRequest]:
    """One prompt per slot, of that many words and with the same voices."""
    same = tuple(torch.randn(frames, 1536).mul(0.02).to(decoder.dtype) for _ in range(voices))
    options, made = engine.options({}), []
    for slot in range(decoder.limits.slots):
        lines = tuple(Line(number % voices, turn) for number, turn in enumerate(turns(slot, words)))
        semantic = engine.semantic(engine.text(SegmentText(lines, voices, slot), options), options)
        places = tuple(int(place) for place in semantic.arrays["voices"])
        vectors = unpack(semantic.arrays["vectors"], semantic.meta["kind"])
        rows, cuts = assemble_prompt(SegmentInputs(vectors, places, same, 1, 1, slot, 1.3, 10))
        made.append(SegmentRequest(rows, cuts, torch.Generator(), tokens_max=1))
    return made


def reading_s(decoder: Decoder, requests: Sequence[SegmentRequest], *, together: bool = False) -> float:
    """Seconds of prefill, one by one or in one pass."""
    batches = [dict(enumerate(requests))] if together else [{0: request} for request in requests]
    took = 0.0
    for batch in batches:
        start = time.perf_counter()
        decoder.admit(batch)
        took += time.perf_counter() - start
        for slot in batch:
            decoder.release(slot)
    return took


@dataclass(frozen=True)
class Read:
    """Seconds of prefill for full slots."""

    batch_s: float
    """Prompts of the run's length, in one pass, with cached voices."""
    prefill_s: float
    """Prompts of full length with the same four voices, each alone."""
    shared_s: float
    """The same prompts with the prefix cache."""
    positions_per_word: float


def reading(engine: Any, decoder: Decoder, scale: float) -> Read:
    short = prompts(engine, decoder, round(WORDS * scale), 2, max(1, round(VOICE_FRAMES * scale)))
    long = prompts(engine, decoder, WORDS, 4, VOICE_FRAMES)
    return Read(
        batch_s=[reading_s(decoder, short, together=True) for _ in range(2)][1],
        prefill_s=reading_s(decoder, [replace(one, cuts=()) for one in long]),
        shared_s=reading_s(decoder, long),
        positions_per_word=(len(long[0].prompt) - long[0].cuts[-1]) / WORDS,
    )


def measure(
    fleet: Fleet, app: VoxchordApp, folder: Path, slots: int, segments: int | None, scale: float
) -> dict[str, Any]:
    engine: Any = app.resources.engines.load("scaled", str(folder), slots)
    precision = engine.device.precision("auto", quantized=False)
    segments = segments or (60 if precision.dtype == torch.bfloat16 else 24)
    run(fleet, slots, scale, [(0.0, 1.0)])
    batch = engine.device.scheduler(precision)
    before = within(batch, step_times)
    batch.steps = batch.filled = 0
    pace, watch = within(batch, Pace), Slots(batch)
    watch.start()
    lengths = run(fleet, segments, scale, ARRIVALS)
    watch.over.set()
    watch.join()
    in_run_s = statistics.median(pace.took_s)
    after = within(batch, step_times)
    times = [statistics.mean(pair) for pair in zip(before, after, strict=True)]
    full_fps, fps = slots / times[-1], watch.filled / (watch.end - watch.begin)
    read = within(batch, lambda decoder: reading(engine, decoder, scale))
    return {
        "dtype": str(precision.dtype),
        "segments": len(lengths),
        "frames": sum(lengths),
        "full_slots_fps": round(full_fps, 2),
        "fps": round(fps, 2),
        "fps_share": round(fps / full_fps, 3),
        "occupancy": round(watch.filled / (watch.steps * slots), 3),
        "over_static": round(fps * static_s(lengths, times, read.batch_s, leave=False) / sum(lengths), 2),
        "over_sorted": round(
            fps * static_s(sorted(lengths), times, read.batch_s, leave=True) / sum(lengths), 2
        ),
        "prefill_s": round(read.prefill_s, 2),
        "prefill_shared_s": round(read.shared_s, 2),
        "batch_read_s": round(read.batch_s, 2),
        "positions_per_word": round(read.positions_per_word, 2),
        "step_ms": [round(1e3 * took) for took in times],
        "full_step_ms": [round(1e3 * took) for took in (before[-1], in_run_s, after[-1])],
    }


@contextmanager
def service(folder: Path, checkpoint: Path, slots: int, scale: float) -> Iterator[Fleet]:
    """Broker, intake and CPU workers; this process gets the settings of the decoding worker."""
    settings = {
        "VOXCHORD_ENGINE": "scaled",
        "VOXCHORD_ENGINES": SETTING,
        "VOXCHORD_MODEL": "full",
        "VOXCHORD_MODELS": f"full={checkpoint}",
        "VOXCHORD_SLOTS": str(slots),
        "VOXCHORD_LOG_LEVEL": "WARNING",
        SCALE: str(scale),
    }
    layout = {"intake": "voxchord", "cpu": "cpu.stitch,cpu.verify,cpu.semantic,cpu.text"}
    with Fleet(folder, settings=settings, layout=layout) as fleet:
        for number in range(2 * len(ARRIVALS)):
            Voices(fleet.jobs.store).add(f"v{number}", recording(number, max(1.0, REFERENCE_S * scale)))
        fleet.start()
        os.environ[SCALE] = str(scale)  # for the engine in this process
        yield fleet


def with_worker(app: VoxchordApp, work: Callable[[], dict[str, Any]], slots: int) -> dict[str, Any]:
    """Run the bench in a thread while this thread is the decoding worker, as `worker --gpu 0` is."""
    spec = commands.gpu("0", app.resources.engines.load("vibevoice").profile, slots)
    found: dict[str, Any] = {}

    def beside() -> None:
        try:
            found.update(work())
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    worker = app.Worker(
        hostname=f"{spec.name}@{socket.gethostname()}",
        queues=list(spec.queues),
        pool=spec.pool,
        concurrency=spec.concurrency,
        loglevel="WARNING",
        without_gossip=True,
        without_mingle=True,
    )
    threading.Thread(target=beside, daemon=True).start()
    worker.start()
    if not found:
        raise SystemExit("the measurement ended with an error; see above")
    return found


def main() -> None:
    wanted = fullsize.arguments(__doc__)
    wanted.add_argument("--slots", type=int, default=8)
    wanted.add_argument("--segments", type=int, help="of all jobs together, on the mean (60; in float32 24)")
    wanted.add_argument("--scale", type=float, default=0.2, help="of a segment's words")
    args = wanted.parse_args()
    torch.set_num_threads(args.threads)
    with (
        tempfile.TemporaryDirectory() as scratch,
        fullsize.checkpoint(args.folder) as checkpoint,
        service(Path(scratch), checkpoint, args.slots, args.scale) as fleet,
    ):
        app = make_app(load(fleet.environment), fleet.url)
        found = with_worker(
            app,
            lambda: measure(fleet, app, checkpoint, args.slots, args.segments, args.scale),
            args.slots,
        )
        print(json.dumps(found))


if __name__ == "__main__":
    main()
