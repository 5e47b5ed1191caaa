"""What does metering cost a task?

    python -m bench.metering

The same task runs with metering on and off in turn, in one process, with a request such as a worker gives
it. `overhead_us` is the time that an empty task takes longer. The shares are for tasks that compute: CPU time
of the whole process, the sampling thread included, more than without. `writer_us` is what the worker's main
process spends on carrying one row into SQLite. The last line is JSON.
"""

import gc
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from celery import Celery, Task

from db.writer import Writer
from tasks import meter
from tasks.metering import attempt, note

_EMPTY_TURNS = 3_000
_TURNS = {0.01: 400, 0.1: 60, 1.0: 12}


class Metered(Task):  # type: ignore[type-arg]  # generic in the stubs only
    metered = False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not self.metered:
            return super().__call__(*args, **kwargs)
        with attempt(self):
            return super().__call__(*args, **kwargs)


app = Celery("bench", task_cls=Metered)


@app.task(name="bench.work")
def work(rounds: int) -> int:
    note(job="bench", segment=1, engine="none", chars_in=812, audio_s=60.0)
    total = 0
    for number in range(rounds):
        total += number * number
    return total


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        settings = meter.Settings(folder=Path(folder), app_version="bench")
        meter.configure(settings)
        meter.describe_worker("bench@here", "prefork", 2)
        _warm_up()
        rounds_per_s = _calibrate()
        off, on = _pairs(0, _EMPTY_TURNS, time.perf_counter)
        result = {"overhead_us": round((statistics.median(on) - statistics.median(off)) * 1e6, 1)}
        for seconds, turns in _TURNS.items():
            off, on = _pairs(round(rounds_per_s * seconds), turns, time.process_time)
            name = f"share_{seconds * 1000:g}ms" if seconds < 1 else f"share_{seconds:g}s"
            more = statistics.median(b - a for a, b in zip(off, on, strict=True))
            result[name] = round(more / statistics.median(off), 5)
            print(f"{name}: {more * 1e6:.0f} us more of {statistics.median(off):.4f} s CPU", flush=True)
        result["writer_us"] = _writer_us(settings, f"sqlite:///{folder}/history.db")
    print(json.dumps(result))


def _run(rounds: int, metered: bool) -> None:
    work.push_request(
        id="0d3e8f0a-6a52-4a1c-8b1e-0c2f4f1f7a11",
        root_id="0d3e8f0a-6a52-4a1c-8b1e-0c2f4f1f7a11",
        hostname="bench@here",
        delivery_info={"exchange": "", "routing_key": "cpu.text", "priority": 5, "redelivered": False},
        timelimit=[None, None],
        voxchord_published=time.time() - 0.01,
        voxchord_received=time.time() - 0.001,
    )
    try:
        Metered.metered = metered
        work(rounds)
    finally:
        work.pop_request()


def _warm_up() -> None:
    for _ in range(50):
        _run(0, metered=True)


def _calibrate() -> float:
    began = time.process_time()
    _run(3_000_000, metered=False)
    return 3_000_000 / (time.process_time() - began)


def _pairs(rounds: int, turns: int, clock: Callable[[], float]) -> tuple[list[float], list[float]]:
    """Off and on in turn, each first half of the time; seconds by `clock`."""
    taken: dict[bool, list[float]] = {False: [], True: []}
    gc.collect()
    gc.disable()
    for turn in range(turns):
        for metered in (turn % 2 == 0, turn % 2 == 1):
            began = clock()
            _run(rounds, metered)
            taken[metered].append(clock() - began)
    gc.enable()
    return taken[False], taken[True]


def _writer_us(settings: meter.Settings, url: str) -> float:
    """CPU time of the main process per row, over the rows that the turns left."""
    meter.Meter.rest()
    writer = Writer(url, settings.spool)
    writer.drain(thorough=False)
    for _ in range(2_000):
        _run(0, metered=True)
    meter.Meter.rest()
    began = time.process_time()
    written = writer.drain()
    return round((time.process_time() - began) / written * 1e6, 1)


if __name__ == "__main__":
    main()
