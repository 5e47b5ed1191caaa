"""Continuous batching at VibeVoice 1.5B's full size: jobs that arrive over time, some segments that run away.

Segments are as long as the planner makes them, scaled down in words, and so in frames and in prompts, that a
run takes minutes. They enter the engine from threads, as a worker's tasks do, and are compared with full
slots in the same run; static batches are reckoned from the step times measured in it. Takes about ten minutes
on two cores, 7 GB of memory and 5.4 GB of disk.
"""

import argparse
import json
import os
import random
import statistics
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pipeline.engines.protocol import Arrays, Line, SegmentText
from pipeline.engines.vibevoice.adapter import VibeVoice
from pipeline.engines.vibevoice.decoder import Decoder, Request
from pipeline.engines.vibevoice.scheduler import Scheduler
from pipeline.engines.vibevoice.settings import Settings

TURN_WORDS = 25
RUNAWAY_SHARE = 0.03
VOICE_FRAMES = 225
"""Of a reference of 30 seconds."""


@dataclass(frozen=True)
class Planned:
    """A segment, when its job arrives, and how long it turns out."""

    semantic: Arrays
    voices: tuple[Arrays, ...]
    seed: int
    arrives_s: float

    @property
    def frames(self) -> int:
        return int(self.semantic.meta["frames_max"])


class Patient:
    """Never stops a segment."""

    def check(self) -> None:
        pass

    def frames(self, done: int) -> None:
        pass


class Occupancy:
    """Looks at the slots until nothing waits any more: what comes after is the tail."""

    def __init__(self, batch: Scheduler) -> None:
        self.batch, self.over = batch, threading.Event()
        self.steps = self.filled = 0
        self.start = self.end = time.perf_counter()
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()

    def _watch(self) -> None:
        while not self.over.wait(0.02):
            if self.batch.waiting or not self.steps:
                self.steps, self.filled, self.end = self.batch.steps, self.batch.filled, time.perf_counter()


def voice(seed: int, frames: int, hidden: int) -> Arrays:
    """An embedding: the sound doesn't matter here, only how long it is."""
    made = torch.randn(frames, hidden, generator=torch.Generator().manual_seed(seed)) * 0.02
    return Arrays({"voice": made.bfloat16().view(torch.uint16).numpy()}, {"kind": "BF16"})


def plan(engine: VibeVoice, jobs: Sequence[tuple[float, int]], scale: float) -> list[Planned]:
    """Jobs of (arrival, segments), each with two voices of its own."""
    dice, found = random.Random(1), []
    for job, (arrives_s, count) in enumerate(jobs):
        voices = tuple(voice(10 * job + slot, round(VOICE_FRAMES * scale), 1536) for slot in range(2))
        for number in range(count):
            last = number == count - 1
            words = dice.randint(40, 150) if last else dice.randint(150, 250)
            semantic = prompt(engine, round(words * scale), speakers=2)
            expected = int(semantic.meta["frames"])
            length = 2 * expected if dice.random() < RUNAWAY_SHARE else round(expected * dice.gauss(1, 0.1))
            meta = {**semantic.meta, "frames_max": str(max(4, length))}
            found.append(Planned(Arrays(semantic.arrays, meta), voices, 100 * job + number, arrives_s))
    return found


def prompt(engine: VibeVoice, words: int, speakers: int) -> Arrays:
    options = engine.options({})
    turns = [min(TURN_WORDS, words - at) for at in range(0, max(1, words), TURN_WORDS)]
    lines = [Line(n % speakers, "a " * max(1, length)) for n, length in enumerate(turns)]
    lines += [Line(slot, "a") for slot in range(len(lines), speakers)]
    return engine.semantic(engine.text(SegmentText(tuple(lines), speakers, 0), options), options)


def run(engine: VibeVoice, segments: Sequence[Planned], threads: int) -> float:
    """All segments, each from its job's arrival on; returns the seconds."""
    options, begin = engine.options({"dtype": "bfloat16"}), time.perf_counter()

    def speak(one: Planned) -> None:
        time.sleep(max(0.0, one.arrives_s - (time.perf_counter() - begin)))
        engine.diffusion(one.semantic, one.voices, one.seed, options, Patient())

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(speak, segments))
    return time.perf_counter() - begin


def step_times(decoder: Decoder, frames: int = 4) -> list[float]:
    """Seconds of a step with 1, 2, ... rows at work."""
    rows = torch.full((40, 1536), 0.02, dtype=decoder.dtype)
    found = []
    for slot in range(decoder.limits.slots):
        noise = torch.Generator().manual_seed(slot)
        decoder.admit(slot, Request(rows, (30,), noise, tokens_max=500, choose=always(decoder)))
        took = []
        for _ in range(frames + 1):
            start = time.perf_counter()
            decoder.step()
            took.append(time.perf_counter() - start)
        found.append(statistics.median(took[1:]))
    for slot in range(decoder.limits.slots):
        decoder.release(slot)
    return found


def always(decoder: Decoder) -> Any:
    frame = decoder.tokens.legal.index(decoder.tokens.audio)
    return lambda scores, number: frame


def static_s(lengths: Sequence[int], times: Sequence[float], *, leave: bool) -> float:
    """Seconds of batches that start together; `leave`: finished rows are no longer computed."""
    slots, total = len(times), 0.0
    for start in range(0, len(lengths), slots):
        batch = lengths[start : start + slots]
        for frame in range(max(batch)):
            rows = sum(length > frame for length in batch) if leave else len(batch)
            total += times[rows - 1]
    return total


def prefill(engine: VibeVoice, decoder: Decoder, segments: int) -> tuple[float, float]:
    """Seconds to read that many prompts of full length with the same four voices: alone, and sharing."""
    from pipeline.engines.vibevoice.device import Spoken, assemble
    from pipeline.engines.vibevoice.transport import unpack

    took = []
    for shared in (False, True):
        begin = time.perf_counter()
        for number in range(segments):
            semantic = prompt(engine, 200 + number, speakers=4)
            voices = tuple(unpack(voice(s, VOICE_FRAMES, 1536).arrays["voice"], "BF16") for s in range(4))
            places = tuple(int(place) for place in np.asarray(semantic.arrays["voices"]))
            words = unpack(semantic.arrays["vectors"], semantic.meta["kind"])
            rows, cuts = assemble(Spoken(words, places, voices, 1, 1, number, 1.3, 10))
            decoder.admit(0, Request(rows, cuts if shared else (), torch.Generator(), tokens_max=1))
            decoder.release(0)
        took.append(time.perf_counter() - begin)
    return took[0], took[1]


def measure(folder: Path, slots: int, jobs: Sequence[tuple[float, int]], scale: float) -> dict[str, Any]:
    settings = Settings(device="cpu", slots=slots, positions=2048, frames=512, idle_s=3600)
    engine = VibeVoice(str(folder), settings)
    segments = plan(engine, jobs, scale)
    run(engine, segments[:1], 1)
    batch = engine.device.scheduler(torch.bfloat16)
    decoder = batch.decoder
    assert decoder is not None
    before = step_times(decoder)
    batch.steps = batch.filled = 0
    watch = Occupancy(batch)
    whole_s = run(engine, segments, slots + 2)
    watch.over.set()
    times = [min(pair) for pair in zip(before, step_times(decoder), strict=True)]
    lengths, full_fps = [one.frames for one in segments], slots / times[-1]
    fps, busy_fps = sum(lengths) / whole_s, watch.filled / (watch.end - watch.start)
    prefill_s, shared_s = prefill(engine, decoder, 4)
    return {
        "segments": len(segments),
        "frames": sum(lengths),
        "full_slots_fps": round(full_fps, 2),
        "fps": round(fps, 2),
        "fps_share": round(busy_fps / full_fps, 3),
        "fps_share_with_tail": round(fps / full_fps, 3),
        "occupancy": round(watch.filled / (watch.steps * slots), 3),
        "over_static": round(fps * static_s(lengths, times, leave=False) / sum(lengths), 2),
        "over_sorted": round(fps * static_s(sorted(lengths), times, leave=True) / sum(lengths), 2),
        "prefill_s": round(prefill_s, 2),
        "prefill_shared_s": round(shared_s, 2),
        "step_ms": [round(1e3 * took) for took in times],
    }


def main() -> None:
    wanted = argparse.ArgumentParser(description=__doc__)
    wanted.add_argument("--slots", type=int, default=8)
    wanted.add_argument("--segments", type=int, default=80, help="of all jobs together")
    wanted.add_argument("--scale", type=float, default=0.1, help="of a segment's words")
    wanted.add_argument("--threads", type=int, default=os.cpu_count())
    wanted.add_argument("--folder", type=Path, help="keep the checkpoint here, or use the one that is")
    args = wanted.parse_args()
    torch.set_num_threads(args.threads)
    third = args.segments // 6
    jobs = [(0.0, args.segments - 2 * third), (10.0, third), (20.0, third)]
    with tempfile.TemporaryDirectory() as scratch:
        folder = args.folder or Path(scratch)
        if not (folder / "config.json").is_file():
            from bench import fullsize

            fullsize.save(folder)
        print(json.dumps(measure(folder, args.slots, jobs, args.scale)))


if __name__ == "__main__":
    main()
