"""A hundred strangers against the whole service, beside a real job.

    python -m bench.flood [--strangers 100] [--seconds 120] [--line-mbit 200]

`up` runs with the embedded engine, Flower and the HTTP service. A job runs alone, then again and again while
the strangers act, in three rounds, so that other work on the machine weighs on both. The strangers send slow
headers, slow bodies, bodies of 98 MB, wrong passwords and malformed messages. All of it is on loopback; the
large bodies share a line of `--line-mbit`. The jobs have the same words but for their name, so each is
decoded anew.

The last line is JSON. `ratio` is the median wall time under flood to the median alone. `rss_max_bytes` is the
largest process, sampled four times a second. `rss_reached_max_bytes` leaves out the decoding ones, which
strangers do not reach: their largest sizes, alone and under flood, are in `rss_decoding_bytes`. `restarts`
counts processes that were replaced. About five minutes on two cores.
"""

import argparse
import json
import statistics
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
from celery import Celery

from bench.harness.running_service import RunningService
from bench.harness.strangers import Flood, Target

_SENTENCES = (
    "The tide had turned before we reached the quay. Nobody spoke of it. We tied the boat, we carried the "
    "nets up to the loft, and we counted what was left of the day."
)
_ALONE = 2
_CONNECT_S = 3.0
"""Time until all strangers are connected."""
_LAST_S = 8.0
"""No job begins later than this before the end of a round."""
_DECODING = "worker child"
_LIMIT_S = 600


class Sizes(threading.Thread):
    """Samples the memory of the service's processes, and which of them were replaced."""

    def __init__(self, service: RunningService) -> None:
        super().__init__(daemon=True)
        self.service, self.ended = service, threading.Event()
        self.first = {member.process.pid for member in service.members()}
        self.rss_bytes: dict[str, int] = {}
        """Largest process by role."""

    def run(self) -> None:
        while not self.ended.wait(0.25):
            for member in self.service.members():
                try:
                    size = int(member.process.memory_info().rss)
                except psutil.NoSuchProcess:
                    continue
                self.rss_bytes[member.role] = max(self.rss_bytes.get(member.role, 0), size)

    def restarts(self) -> int:
        return len(self.first - {member.process.pid for member in self.service.members()})


class Jobs:
    """Sends one job at a time and measures its wall time."""

    def __init__(self, service: RunningService, turns: int) -> None:
        url = service.broker_url
        self.app, self.turns, self.number = Celery("another-app", broker=url, backend=url), turns, 0

    def wall_s(self) -> float:
        self.number += 1
        lines = [f"{'AB'[i % 2]}: Job {self.number}, entry {i}. {_SENTENCES}" for i in range(self.turns)]
        began = time.monotonic()
        sent = self.app.send_task("voxchord.render", kwargs={"script": "\n".join(lines)}, queue="voxchord")
        manifest = sent.get(timeout=_LIMIT_S)
        assert manifest["state"] == "done", manifest["state"]
        return time.monotonic() - began


def run(service: RunningService, given: argparse.Namespace) -> dict[str, Any]:
    jobs = Jobs(service, given.turns)
    jobs.wall_s()  # models are loaded
    sizes = Sizes(service)
    sizes.start()
    idle, flooded, counts, decoding_alone = [jobs.wall_s()], [], Counter[str](), 0
    target = Target((service.flower_port, service.http_port), service.broker_url, given.line_mbit * 125_000)
    for number in range(given.rounds):
        decoding_alone = decoding_alone or sizes.rss_bytes[_DECODING]
        flood = Flood(target, given.strangers, given.seconds / given.rounds, given.seed + 1000 * number)
        flood.start()
        until = time.monotonic() + given.seconds / given.rounds - _LAST_S
        time.sleep(_CONNECT_S)
        while time.monotonic() < until:
            flooded.append(jobs.wall_s())
        counts.update(flood.counts())
        idle += [jobs.wall_s() for _ in range(_ALONE)]
        print(json.dumps({"alone_s": idle, "under_flood_s": flooded, "rss": sizes.rss_bytes}), flush=True)
    sizes.ended.set()
    sizes.join()
    alone_s, flooded_s = statistics.median(idle), statistics.median(flooded)
    return {
        "strangers": given.strangers,
        "seconds": given.seconds,
        "line_mbit": given.line_mbit,
        "requests": sum(counts.values()),
        "answers": dict(sorted(counts.items())),
        "jobs_alone": len(idle),
        "jobs_under_flood": len(flooded),
        "wall_alone_s": round(alone_s, 2),
        "wall_under_flood_s": round(flooded_s, 2),
        "ratio": round(flooded_s / alone_s, 3),
        "rss_max_bytes": max(sizes.rss_bytes.values()),
        "rss_reached_max_bytes": max(size for role, size in sizes.rss_bytes.items() if role != _DECODING),
        "rss_decoding_bytes": {"alone": decoding_alone, "under_flood": sizes.rss_bytes[_DECODING]},
        "rss_max_bytes_by_role": sizes.rss_bytes,
        "restarts": sizes.restarts(),
        "running": service.running,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--strangers", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--line-mbit", type=float, default=200.0)
    parser.add_argument("--turns", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    settings = {"VOXCHORD_LOG_LEVEL": "INFO"}
    with (
        tempfile.TemporaryDirectory(prefix="voxchord-flood-", ignore_cleanup_errors=True) as folder,
        RunningService(Path(folder), settings) as service,
    ):
        print(json.dumps(run(service, given)), flush=True)


if __name__ == "__main__":
    main()
