"""Cost of a very large job and its effect on other jobs, with an engine that writes silence.

    python -m bench.scale [--segments 10000]

Workers have default settings: two intake processes and two working processes. Jobs of a hundred segments and
a short job run alone first; then the large job, with a submission every half second, and the short job behind
it. `per_segment_ratio` is wall time per segment, large to small. `submit_p99_ms` is the time from a client's
call until the job is planned and its segments are sent; `send_p99_ms` is the call alone. `rss_max_bytes` is
the largest process, including the broker, sampled four times a second.

About five minutes on two cores.
"""

import argparse
import json
import shutil
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psutil

from bench.harness.fleet import Fleet
from bench.harness.silence import SETTING
from bench.harness.waiting import until
from pipeline.engines.registry import Engines
from pipeline.planning.request import checked, split_options
from pipeline.script.parser import parse
from pipeline.voices.library import Voices

SMALL = 100
_ROUNDS = 3
_LINE = "one two three four five six seven eight nine ten"
"""Words of one segment at the engine's size."""
_MINUTE = 13
"""Segments of a short job."""
_MINUTE_WAIT_MS = 60
_LIMIT_S = 1500


def script(name: str, segments: int) -> str:
    """Script with one line per segment; no two jobs share a segment."""
    return "\n".join(f"{'AB'[i % 2]}: {name} {i} {_LINE}." for i in range(segments))


class Sizes(threading.Thread):
    """Samples the memory of the fleet's processes."""

    def __init__(self, fleet: Fleet) -> None:
        super().__init__(daemon=True)
        self.fleet, self.ended, self.rss_max_bytes, self.largest = fleet, threading.Event(), 0, ""

    def run(self) -> None:
        roots = [("broker", self.fleet.broker_pid)]
        roots += [(name, process.pid) for name, process in self.fleet.workers.items()]
        while not self.ended.wait(0.25):
            for name, pid in roots:
                self._sample(name, psutil.Process(pid))

    def _sample(self, name: str, process: psutil.Process) -> None:
        try:
            for one in (process, *process.children(recursive=True)):
                size = one.memory_info().rss
                if size > self.rss_max_bytes:
                    self.rss_max_bytes = size
                    self.largest = name if one.pid == process.pid else f"{name}'s child"
        except psutil.NoSuchProcess:
            return


class Clients(threading.Thread):
    """Sends a job of one segment every half second, and records the time until it is planned."""

    def __init__(self, fleet: Fleet) -> None:
        super().__init__(daemon=True)
        self.fleet, self.ended = fleet, threading.Event()
        self.sent_s: list[float] = []
        self.stood_s: list[float] = []

    def run(self) -> None:
        number = 0
        while not self.ended.wait(0.5):
            number += 1
            text = script(f"client{number}", 1)
            job = job_of(text, self.fleet)
            began = time.perf_counter()
            self.fleet.send(text)
            self.sent_s.append(time.perf_counter() - began)
            until(lambda job=job: self.fleet.roots.sent(job), 60, every_s=0.005)  # type: ignore[misc]
            self.stood_s.append(time.perf_counter() - began)


def job_of(text: str, fleet: Fleet) -> str:
    """Job ID of a script."""
    options, rest = split_options({}, engine="silence")
    engine = Engines({"silence": SETTING.partition("=")[2]}).load("silence")
    return checked(parse(text), {}, options, rest, engine=engine, registered=Voices(fleet.jobs.store)).job


def timed(fleet: Fleet, name: str, segments: int, **options: Any) -> float:
    """Seconds from the call to the manifest."""
    began = time.perf_counter()
    manifest = fleet.send(script(name, segments), options).get(timeout=_LIMIT_S, interval=0.02)
    assert manifest["segments"] == segments, f"{manifest['segments']} segments"
    return time.perf_counter() - began


def short(fleet: Fleet, name: str) -> float:
    """Time of a short job."""
    return timed(fleet, name, _MINUTE, wait_ms=_MINUTE_WAIT_MS)


def measure(fleet: Fleet, segments: int) -> dict[str, Any]:
    timed(fleet, "warm", 4)
    small_s = statistics.median(timed(fleet, f"small{i}", SMALL) for i in range(_ROUNDS))
    idle_s = statistics.median(short(fleet, f"idle{i}") for i in range(_ROUNDS))
    sizes, clients = Sizes(fleet), Clients(fleet)
    sizes.start()
    clients.start()
    began = time.perf_counter()
    large = fleet.send(script("large", segments))
    until(lambda: any(fleet.client.llen(f"cpu.text\x06\x16{step}") for step in (9,)), 120)
    behind_s = [short(fleet, f"behind{i}") for i in range(_ROUNDS)]
    beside = not large.ready()
    manifest = large.get(timeout=_LIMIT_S, interval=0.05)
    large_s = time.perf_counter() - began
    for watch in (sizes, clients):
        watch.ended.set()
        watch.join()
    assert manifest["segments"] == segments
    assert beside, "the large job ended too soon to be in the way"
    return {
        "segments": segments,
        "large_s": round(large_s, 1),
        "small_s": round(small_s, 2),
        "per_segment_ms": round(1000 * large_s / segments, 2),
        "per_segment_ratio": round(large_s / segments / (small_s / SMALL), 3),
        "rss_max_bytes": sizes.rss_max_bytes,
        "rss_max_of": sizes.largest,
        "submissions": len(clients.sent_s),
        "send_p99_ms": round(1000 * p99(clients.sent_s), 1),
        "submit_p99_ms": round(1000 * p99(clients.stood_s), 1),
        "idle_s": round(idle_s, 2),
        "behind_s": round(statistics.median(behind_s), 2),
        "fairness_ratio": round(statistics.median(behind_s) / idle_s, 2),
    }


def p99(values: list[float]) -> float:
    return sorted(values)[max(0, -(-99 * len(values) // 100) - 1)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--segments", type=int, default=10_000)
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="voxchord-scale-"))
    settings = {
        "VOXCHORD_ENGINE": "silence",
        "VOXCHORD_ENGINES": SETTING,
        "VOXCHORD_LOG_LEVEL": "WARNING",
    }
    stages = "gpu.diffusion,gpu.speaker,cpu.stitch,cpu.verify,cpu.semantic,cpu.text"
    two = ("-P", "prefork", "-c", "2")
    layout, pools = {"intake": "voxchord", "work": stages}, {"intake": two, "work": two}
    try:
        with Fleet(folder, settings=settings, layout=layout, pools=pools) as fleet:
            fleet.start()
            print(json.dumps(measure(fleet, given.segments)))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
