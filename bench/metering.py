"""Overhead of metering per task.

    python -m bench.metering

The same task runs with metering on and off in turn, in one process, with a worker's request. `overhead_us` is
the median additional time of an empty task. The shares are the mean additional CPU time of the process,
including the sampling thread, relative to the task's length. These tasks sleep: a computing task's noise
exceeds the overhead, and after a sleep the counters have left the caches, as in production. `writer_us` is
the main process' CPU time per row written to SQLite. The last line is JSON. Under a minute.
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

from db.ingest.writer import Writer
from tasks.metering import instruments
from tasks.metering.attempt import attempt, note
from tasks.metering.settings import MeterSettings

_EMPTY_TURNS = 3_000
_TURNS = {0.01: 300, 0.1: 60, 1.0: 10}


class Metered(Task):  # type: ignore[type-arg]  # generic in the stubs only
    metered = False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not self.metered:
            return super().__call__(*args, **kwargs)
        with attempt(self):
            return super().__call__(*args, **kwargs)


app = Celery("bench", task_cls=Metered)


@app.task(name="bench.work")
def work(seconds: float) -> None:
    note(job="bench", segment=1, engine="none", chars_in=812, audio_s=60.0)
    if seconds:
        time.sleep(seconds)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        settings = MeterSettings(folder=Path(folder), app_version="bench")
        instruments.configure(settings)
        instruments.describe_worker("bench@here", "prefork", 2)
        _warm_up()
        off, on = _pairs(0.0, _EMPTY_TURNS, time.perf_counter)
        result = {"overhead_us": round((statistics.median(on) - statistics.median(off)) * 1e6, 1)}
        for seconds, turns in _TURNS.items():
            off, on = _pairs(seconds, turns, time.process_time)
            more = statistics.mean(on) - statistics.mean(off)
            name = f"share_{seconds * 1000:g}ms" if seconds < 1 else f"share_{seconds:g}s"
            result[name] = round(more / seconds, 5)
            print(f"{name}: {more * 1e6:.0f} us more", flush=True)
        result["writer_us"] = _writer_us(settings, f"sqlite:///{folder}/history.db")
    print(json.dumps(result))


def _run(seconds: float, metered: bool) -> None:
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
        work(seconds)
    finally:
        work.pop_request()


def _warm_up() -> None:
    for _ in range(50):
        _run(0.0, metered=True)


def _pairs(seconds: float, turns: int, clock: Callable[[], float]) -> tuple[list[float], list[float]]:
    """Run with metering off and on in turn, each first half of the time; seconds by `clock`."""
    taken: dict[bool, list[float]] = {False: [], True: []}
    gc.collect()
    gc.disable()
    for turn in range(turns):
        for metered in (turn % 2 == 0, turn % 2 == 1):
            began = clock()
            _run(seconds, metered)
            taken[metered].append(clock() - began)
    gc.enable()
    return taken[False], taken[True]


def _writer_us(settings: MeterSettings, url: str) -> float:
    """CPU time of the main process per row, over the spooled rows of the turns."""
    instruments.Instruments.rest()
    writer = Writer(url, settings.spool)
    writer.drain(thorough=False)
    for _ in range(2_000):
        _run(0.0, metered=True)
    instruments.Instruments.rest()
    began = time.process_time()
    written = writer.drain()
    return round((time.process_time() - began) / written * 1e6, 1)


if __name__ == "__main__":
    main()
