"""Latency of submission while the service is busy.

    python -m bench.submit

Two stitches of about 96 minutes each and a backlog of decodes keep all processes busy; then small jobs are
sent at a steady pace. `send_p99_ms` is `send_task` itself; `visible_p99_ms` is the time from the call of
`send_task` until `db.queries.jobs.list_jobs` has the job. About a minute and a half on two cores.
"""

import argparse
import json
import os
import shutil
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import redis
from celery import Celery
from sqlalchemy import Engine, func, select

from bench.harness.waiting import until
from db.database import open_database
from db.queries.jobs import list_jobs
from db.schema import task_run
from tasks.local.service import LocalService
from tasks.settings import Settings

_PLAY = Path(__file__).parent.parent / "examples" / "radio_play.txt"
_LONG_S = 96 * 60
_SAMPLE_S = 0.005
_BACKLOG = 20
"""Scripts of some four minutes, enough decoding for the whole measurement."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=100)
    parser.add_argument("--pace", type=float, default=10.0, help="Jobs sent per second.")
    parser.add_argument(
        "--workers",
        type=int,
        default=max(2, os.cpu_count() or 2),
        help="Working processes, two of which stitch.",
    )
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="voxchord-bench-"))
    try:
        found = busy(folder, given.jobs, given.pace, given.workers)
    finally:
        shutil.rmtree(folder)
    print(json.dumps(found))


def busy(folder: Path, count: int, pace: float, workers: int) -> dict[str, Any]:
    """Saturate an own service in `folder`, and measure."""
    settings = Settings(state=folder)
    with LocalService(settings, concurrency=workers) as service:
        url = service.broker.start()
        app = Celery("another-app", broker=url, backend=url)  # a plain client
        history = open_database(settings.history_url)
        play = _PLAY.read_text()
        once = _send(app, play, format="wav").get(timeout=120)
        long = play * round(_LONG_S / once["duration_s"] + 0.5)
        _send(app, long, format="wav").get(
            timeout=300
        )  # its segments exist now, so the next ones only stitch
        stitches = [_send(app, long, format=name) for name in ("opus", "mp3")]
        until(lambda: _stitching(app) == 2, 60)
        backlog = [_send(app, play, seed=seed) for seed in range(1, _BACKLOG + 1)]
        until(lambda: _runs(history, "voxchord.render", [one.id for one in backlog]) == _BACKLOG, 60)
        began = time.time()
        sends, seen = _measure(app, history, count, pace)
        ended = time.time()
        waiting = _waiting(url)
        audio_s = [stitch.get(timeout=300)["duration_s"] for stitch in stitches]
        until(lambda: _runs(history, "voxchord.stitch", [stitch.id for stitch in stitches]) == 2, 60)
        covered = _covered(history, [stitch.id for stitch in stitches], began, ended)
        taken_in_s = _mean_run_s(history, [one.id for one in backlog])
        share = _busy_share(history, began, ended, workers)
        for result in (*backlog, *stitches):
            result.forget()  # needs the broker
        history.dispose()
        app.close()
    return {
        "jobs": len(seen),
        "send_p50_ms": _ms(sends, 50),
        "send_p99_ms": _ms(sends, 99),
        "visible_p50_ms": _ms(seen, 50),
        "visible_p99_ms": _ms(seen, 99),
        "stitch_audio_s": [round(seconds) for seconds in audio_s],
        "stitches_under_way_throughout": covered,
        "slots": workers,
        "slots_busy_share": round(share, 3),
        "render_of_a_play_s": round(taken_in_s, 3),
        "stages_waiting_at_the_end": waiting,
    }


def _measure(app: Celery, history: Engine, count: int, pace: float) -> tuple[list[float], list[float]]:
    """Seconds of each `send_task`, and until the job's row exists."""
    called: dict[str, float] = {}
    seen: dict[str, float] = {}
    done = threading.Event()

    def sample() -> None:
        while not done.is_set():
            rows = list_jobs(history)
            now = time.perf_counter()
            for row in rows:
                seen.setdefault(row["root_id"], now)
            time.sleep(_SAMPLE_S)

    watcher = threading.Thread(target=sample)
    watcher.start()
    sends = []
    begin = time.perf_counter()
    for number in range(count):
        time.sleep(max(0.0, begin + number / pace - time.perf_counter()))
        start = time.perf_counter()
        result = _send(app, f"Alice: This is the short message with the number {number}.")
        sends.append(time.perf_counter() - start)
        called[result.id] = start
    until(lambda: called.keys() <= seen.keys())
    done.set()
    watcher.join()
    return sends, [seen[task] - start for task, start in called.items()]


def _send(app: Celery, script: str, **options: Any) -> Any:
    kwargs = {"script": script, "voices": {}, "options": options}
    return app.send_task("voxchord.render", kwargs=kwargs, queue="voxchord")


def _stitching(app: Celery) -> int:
    active = app.control.inspect(timeout=0.5).active() or {}
    return sum(task["name"] == "voxchord.stitch" for tasks in active.values() for task in tasks)


def _waiting(url: str) -> int:
    """Number of messages in the stages' queues, over all priorities."""
    with redis.Redis.from_url(url) as client:
        queues = [key for pattern in ("cpu.*", "gpu.*") for key in client.scan_iter(pattern, _type="list")]
        return sum(int(client.llen(key)) for key in queues)


def _runs(history: Engine, task: str, ids: list[str]) -> int:
    with history.connect() as connection:
        query = select(func.count()).where(task_run.c.task_name == task, task_run.c.task_id.in_(ids))
        return int(connection.execute(query).scalar_one())


def _mean_run_s(history: Engine, ids: list[str]) -> float:
    with history.connect() as connection:
        query = select(func.avg(task_run.c.run_s)).where(task_run.c.task_id.in_(ids))
        return float(connection.execute(query).scalar_one())


def _covered(history: Engine, ids: list[str], began: float, ended: float) -> bool:
    """True if both stitches ran during the whole measurement."""
    run = task_run.c
    query = select(run.started_at, run.finished_at).where(
        run.task_name == "voxchord.stitch", run.task_id.in_(ids)
    )
    with history.connect() as connection:
        spans = [(row.started_at, row.finished_at) for row in connection.execute(query)]
    return len(spans) == 2 and all(
        start.timestamp() < began and end.timestamp() > ended for start, end in spans
    )


def _busy_share(history: Engine, began: float, ended: float, slots: int) -> float:
    """Share of the slots' time spent in tasks, from the history."""
    run = task_run.c
    query = select(run.started_at, run.finished_at).where(
        run.worker.like("work@%"), run.finished_epoch >= int(began)
    )
    with history.connect() as connection:
        spans = [
            (row.started_at.timestamp(), row.finished_at.timestamp()) for row in connection.execute(query)
        ]
    inside = sum(max(0.0, min(end, ended) - max(start, began)) for start, end in spans)
    return float(inside / (slots * (ended - began)))


def _ms(seconds: list[float], percent: int) -> float:
    return float(round(1000 * statistics.quantiles(seconds, n=100, method="inclusive")[percent - 1], 1))


if __name__ == "__main__":
    main()
