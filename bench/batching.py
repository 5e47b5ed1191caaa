"""Continuous batching in a real worker, at VibeVoice 1.5B's full size: jobs that arrive over time, some
segments that run away.

Scripts go through the whole pipeline: a door, a worker for the CPU stages, and the decoding worker, which
runs in the bench's own process, so that its slots can be looked at. Segments are those that the planner
makes, scaled down in words, and so in frames, prompts and recordings, that a run takes minutes. Throughput is
compared with full slots, measured on the same decoder before and after; static batches are reckoned from the
step times. Takes about eight minutes on two cores (with fewer segments twenty where there is no bfloat16),
8 GB of memory and 5.4 GB of disk.

Prompts shrink less than the words, so prefill weighs more than in real work: at a scale of 0.1 a segment's
words are 113 positions, where a tenth of 200 words in Qwen's tokens would be about 26.
"""

import io
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
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch

from bench import fullsize
from bench.fleet import Fleet
from bench.scaled import SCALE, SETTING
from pipeline.engines import registry
from pipeline.engines.protocol import Line, SegmentText
from pipeline.engines.vibevoice.decoder import Decoder, Request
from pipeline.engines.vibevoice.device import Spoken, assemble
from pipeline.engines.vibevoice.scheduler import Scheduler
from pipeline.engines.vibevoice.transport import unpack
from pipeline.jobs import stage_name
from pipeline.voices import Voices
from tasks import workers

RATE_HZ = 24_000
TURN_WORDS = 25
REFERENCE_S = 30.0
WORDS = 200
"""Of a segment, on the mean."""
VOICE_FRAMES = 225
"""Of a reference of 30 seconds."""
ARRIVALS = ((0.0, 0.6), (10.0, 0.2), (20.0, 0.2))
"""When the jobs come, and how large each is."""
_LIMIT_S = 1800


class Slots(threading.Thread):
    """Looks at the slots from the first step until nothing waits any more: what comes after is the tail."""

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


def recording(seed: int, seconds: float) -> bytes:
    """A voice's recording; how it sounds doesn't matter here, only how long it is."""
    samples = np.random.default_rng(seed).normal(0, 0.1, round(seconds * RATE_HZ)).astype(np.float32)
    file = io.BytesIO()
    soundfile.write(file, samples, RATE_HZ, format="WAV")
    return file.getvalue()


def script(seed: int, words: int, scale: float) -> str:
    """Two speakers who take turns, in sentences of a few short words each."""
    dice, lines = random.Random(seed), list[str]()
    while words > 0:
        turn = max(3, round(dice.uniform(0.5, 1.5) * TURN_WORDS * scale))
        said = [dice.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(turn)]
        lines.append(f"{'AB'[len(lines) % 2]}: {' '.join(said)}.")
        words -= turn
    return "\n".join(lines)


def run(fleet: Fleet, segments: int, scale: float, arrivals: Sequence[tuple[float, float]]) -> list[int]:
    """Send the jobs when they are due and wait for all; returns the frames of their segments."""
    begin, sent = time.perf_counter(), []
    for number, (due_s, share) in enumerate(arrivals):
        time.sleep(max(0.0, begin + due_s - time.perf_counter()))
        text = script(segments + number, round(share * segments * WORDS * scale), scale)
        kwargs = {"script": text, "voices": {"A": f"v{2 * number}", "B": f"v{2 * number + 1}"}}
        sent.append(fleet.app.send_task("voxchord.render", kwargs=kwargs, queue="voxchord"))
    frames = []
    for result in sent:
        job = result.get(timeout=_LIMIT_S, interval=0.2, disable_sync_subtasks=False)["job"]
        for segment in fleet.jobs.segments(fleet.jobs.need(job)):
            samples = fleet.jobs.store.need_arrays(stage_name(segment.key, "audio")).arrays["samples"].size
            frames.append(samples // 3200)
    return frames


def step_times(decoder: Decoder, frames: int = 6) -> list[float]:
    """Seconds of a step with 1, 2, ... rows at work."""
    rows, found = torch.full((40, 1536), 0.02, dtype=decoder.dtype), []
    for slot in range(decoder.limits.slots):
        noise = torch.Generator().manual_seed(slot)
        decoder.admit({slot: Request(rows, (30,), noise, tokens_max=500)})
        took = []
        for _ in range(frames + 1):
            start = time.perf_counter()
            decoder.step()
            took.append(time.perf_counter() - start)
        found.append(statistics.median(took[1:]))
    for slot in range(decoder.limits.slots):
        decoder.release(slot)
    return found


def static_s(lengths: Sequence[int], times: Sequence[float], *, leave: bool) -> float:
    """Seconds of batches that start together; `leave`: finished rows are no longer computed."""
    slots, total = len(times), 0.0
    for start in range(0, len(lengths), slots):
        batch = lengths[start : start + slots]
        for frame in range(max(batch)):
            rows = sum(length > frame for length in batch) if leave else len(batch)
            total += times[rows - 1]
    return total


def prefill(engine: Any, decoder: Decoder, segments: int) -> tuple[float, float]:
    """Seconds to read that many prompts of full length with the same four voices: alone, and sharing."""
    voices = tuple(torch.randn(VOICE_FRAMES, 1536).mul(0.02).to(decoder.dtype) for _ in range(4))
    took, options = [], engine.options({})
    for shared in (False, True):
        took.append(0.0)
        for number in range(segments):
            lines = tuple(Line(turn % 4, "a " * TURN_WORDS) for turn in range(WORDS // TURN_WORDS))
            semantic = engine.semantic(engine.text(SegmentText(lines, 4, number), options), options)
            places = tuple(int(place) for place in semantic.arrays["voices"])
            words = unpack(semantic.arrays["vectors"], semantic.meta["kind"])
            rows, cuts = assemble(Spoken(words, places, voices, 1, 1, number, 1.3, 10))
            start = time.perf_counter()
            decoder.admit({0: Request(rows, cuts if shared else (), torch.Generator(), tokens_max=1)})
            took[-1] += time.perf_counter() - start
            decoder.release(0)
    return took[0], took[1]


def measure(fleet: Fleet, folder: Path, slots: int, segments: int | None, scale: float) -> dict[str, Any]:
    engine: Any = registry.load("scaled", str(folder), slots)
    precision = engine.device.precision("auto", quantized=False)
    segments = segments or (60 if precision.dtype == torch.bfloat16 else 24)
    run(fleet, slots, scale, [(0.0, 1.0)])
    batch = engine.device.scheduler(precision)
    decoder = batch.decoder
    assert decoder is not None
    before = step_times(decoder)
    batch.steps = batch.filled = 0
    watch = Slots(batch)
    watch.start()
    lengths = run(fleet, segments, scale, ARRIVALS)
    watch.over.set()
    watch.join()
    times = [min(pair) for pair in zip(before, step_times(decoder), strict=True)]
    full_fps, fps = slots / times[-1], watch.filled / (watch.end - watch.begin)
    prefill_s, shared_s = prefill(engine, decoder, slots)
    return {
        "dtype": str(precision.dtype),
        "segments": len(lengths),
        "frames": sum(lengths),
        "full_slots_fps": round(full_fps, 2),
        "fps": round(fps, 2),
        "fps_share": round(fps / full_fps, 3),
        "occupancy": round(watch.filled / (watch.steps * slots), 3),
        "over_static": round(fps * static_s(lengths, times, leave=False) / sum(lengths), 2),
        "over_sorted": round(fps * static_s(sorted(lengths), times, leave=True) / sum(lengths), 2),
        "prefill_s": round(prefill_s, 2),
        "prefill_shared_s": round(shared_s, 2),
        "step_ms": [round(1e3 * took) for took in times],
    }


@contextmanager
def service(folder: Path, checkpoint: Path, slots: int, scale: float) -> Iterator[Fleet]:
    """Broker, door and the CPU stages; this process gets the settings for the decoding worker."""
    settings = {
        "VOXCHORD_ENGINE": "scaled",
        "VOXCHORD_ENGINES": SETTING,
        "VOXCHORD_MODEL": "full",
        "VOXCHORD_MODELS": f"full={checkpoint}",
        "VOXCHORD_SLOTS": str(slots),
        "VOXCHORD_LOG_LEVEL": "WARNING",
        SCALE: str(scale),
    }
    layout = {"door": "voxchord", "cpu": "cpu.stitch,cpu.semantic,cpu.text"}
    with Fleet(folder, settings=settings, layout=layout) as fleet:
        for number in range(2 * len(ARRIVALS)):
            Voices(fleet.jobs.store).add(f"v{number}", recording(number, max(1.0, REFERENCE_S * scale)))
        fleet.start()
        os.environ.update({name: value for name, value in fleet.environment.items() if "THREADS" not in name})
        yield fleet


def with_worker(work: Callable[[], dict[str, Any]], slots: int) -> dict[str, Any]:
    """Do the work in a thread while this one is the decoding worker, as `voxchord.py worker --gpu 0` is."""
    from tasks.app import app

    spec = workers.gpu(0, registry.load("vibevoice").profile, slots)
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
        found = with_worker(
            lambda: measure(fleet, checkpoint, args.slots, args.segments, args.scale), args.slots
        )
        print(json.dumps(found))


if __name__ == "__main__":
    main()
