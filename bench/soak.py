"""A week in an hour: the whole service under steady work and kills, and what grows in it.

    python -m bench.soak [--minutes 60]

`up`, Flower and the HTTP service run with an engine of silence and short timeouts. A job of three segments is
sent every two seconds. Every twenty seconds a process is killed: a child of a worker, a working worker as a
whole, or the broker's server. The other main processes live as long as the bench, so that a leak shows.

An hour stands for a week: the store is collected once a minute, of what is older than three minutes, and the
expiry of results is shortened by the same factor of 168. Flower retains its last 1,500 tasks instead of
20,000, which are reached after a few minutes.

The last line is JSON. `growth` compares the median of the five minutes after the warm-up (the first ten
minutes, or a third of a shorter run) with the median of the last five. Memory is the sum of the processes'
proportional set sizes. A job that has no answer after two minutes is sent again under the same task ID, as
clients do; one that has none after ten is lost.
"""

import argparse
import contextlib
import json
import os
import random
import statistics
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import redis
from celery import Celery
from celery.result import AsyncResult
from kombu.exceptions import OperationalError

from bench.harness.fleet import QUICK
from bench.harness.running_service import RunningService
from bench.harness.silence import SETTING
from pipeline.jobs.garbage import collect

_EVERY_S, _KILL_S, _SAMPLE_S, _KEEPER_S = 2.0, 20.0, 10.0, 60.0
_RETAINED_S = 180.0
_AGAIN_S, _LOST_S = 120.0, 600.0
_WEEK_S, _HOUR_S = 7 * 24 * 3600, 3600
_FACTOR = _WEEK_S // _HOUR_S
_WARM_S, _SPAN_S = 600.0, 300.0
_VICTIMS = (*["worker child"] * 3, *["intake child"] * 2, "worker", "broker")
_AWAY = (redis.exceptions.RedisError, OperationalError, OSError)
_FLOWER = ("--max_tasks=1500",)


@dataclass
class Sent:
    """A job that was sent and has no answer yet."""

    number: int
    result: AsyncResult[Any]
    at: float
    again: float


@dataclass
class Sample:
    """Sizes of the service at one moment."""

    at_s: float
    memory_bytes: dict[str, int]
    """By role."""
    descriptors: int
    store_files: int
    store_bytes: int
    state_files: int
    """Files beside the store: logs, spool, history."""
    broker_keys: int
    broker_bytes: int


@dataclass
class Soak:
    """Work, kills and samples of one service."""

    service: RunningService
    seconds: float
    random: random.Random
    began: float = field(default_factory=time.monotonic)
    waiting: list[Sent] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    kills: Counter[str] = field(default_factory=Counter)
    slowest_s: float = 0.0
    backlog_max: int = 0
    sent: int = 0

    def __post_init__(self) -> None:
        url = self.service.broker_url
        self.app = Celery("another-app", broker=url, backend=url)
        self.app.conf.broker_transport_options = {"socket_timeout": 5}
        self.broker = redis.Redis.from_url(url, socket_timeout=10)
        self.order: list[str] = []

    def run(self) -> None:
        """Send, kill and sample until the time is over, then wait for the last jobs."""
        keeper = threading.Thread(target=self._keep, daemon=True)
        keeper.start()
        due = {self._send: _EVERY_S, self._kill: _KILL_S, self._sample: _SAMPLE_S}
        next_at = {act: self.began + every_s for act, every_s in due.items()}
        while time.monotonic() < self.began + self.seconds:
            for act, every_s in due.items():
                if time.monotonic() >= next_at[act]:
                    next_at[act] += every_s
                    act()
            self._answers()
            time.sleep(0.2)
        ended = time.monotonic() + _LOST_S
        while self.waiting and time.monotonic() < ended:
            self._answers()
            time.sleep(0.5)
        self.counts["lost"] += len(self.waiting)

    def _send(self) -> None:
        self.sent += 1
        self._publish(self.sent, None)

    def _publish(self, number: int, before: Sent | None) -> None:
        lines = [f"Anna: Job {number} line {line} with some ten more words in it." for line in range(3)]
        task_id = None if before is None else str(before.result.id)
        try:
            result = self.app.send_task(
                "voxchord.render",
                kwargs={"script": "\n".join(lines)},
                queue="voxchord",
                task_id=task_id,
                retry=True,
                retry_policy={"max_retries": 20, "interval_max": 0.5},
            )
        except _AWAY:
            self.counts["not sent"] += 1
            return
        now = time.monotonic()
        self.waiting.append(Sent(number, result, before.at if before else now, now))

    def _answers(self) -> None:
        self.backlog_max = max(self.backlog_max, len(self.waiting))
        for sent in list(self.waiting):
            try:
                ready = sent.result.ready()
            except _AWAY:
                return
            age_s = time.monotonic() - sent.at
            if ready:
                self.waiting.remove(sent)
                self.slowest_s = max(self.slowest_s, age_s)
                self.counts["finished" if sent.result.successful() else "failed"] += 1
            elif age_s > _LOST_S:
                self.waiting.remove(sent)
                self.counts["lost"] += 1
            elif time.monotonic() - sent.again > _AGAIN_S:
                self.waiting.remove(sent)
                self.counts["sent again"] += 1
                self._publish(sent.number, sent)

    def _kill(self) -> None:
        if not self.order:
            self.order = self.random.sample(_VICTIMS, len(_VICTIMS))
        role = self.order.pop()
        found = [member for member in self.service.members() if member.role == role]
        if found:
            self.random.choice(found).process.kill()
            self.kills[role] += 1

    def _keep(self) -> None:
        """Collect the store, and let results expire as early as the hour is shorter than the week."""
        while True:
            time.sleep(_KEEPER_S)
            collect(self.service.jobs, older_than_s=_RETAINED_S)
            try:
                for key in self.broker.scan_iter(count=500):
                    left_s = int(self.broker.ttl(key))
                    if left_s > _HOUR_S:
                        self.broker.expire(key, left_s // _FACTOR)
            except redis.exceptions.RedisError:
                continue  # it was killed

    def _sample(self) -> None:
        memory: Counter[str] = Counter()
        descriptors = 0
        for member in self.service.members():
            try:
                memory[member.role.removesuffix(" child")] += member.process.memory_full_info().pss
                descriptors += member.process.num_fds()
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        store = Path(self.service.settings.store_url)
        files, size = _files(store)
        try:
            keys, used = self.broker.dbsize(), self.broker.info("memory")["used_memory"]
        except redis.exceptions.RedisError:
            return  # the next sample follows
        beside = _files(self.service.state, without=store)[0]
        self.samples.append(
            Sample(
                round(time.monotonic() - self.began, 1),
                dict(memory),
                descriptors,
                files,
                size,
                beside,
                int(keys),
                int(used),
            )
        )
        if len(self.samples) % 6 == 0:
            sample = self.samples[-1]
            line = {**vars(sample), **self.counts, "waiting": len(self.waiting), "kills": self.kills.total()}
            print(json.dumps(line), flush=True)

    def summary(self) -> dict[str, Any]:
        """Counts and growth."""
        warm_s = min(_WARM_S, self.seconds / 3)
        span_s = min(_SPAN_S, self.seconds / 4)
        early = [sample for sample in self.samples if warm_s <= sample.at_s < warm_s + span_s]
        late = [sample for sample in self.samples if sample.at_s >= self.seconds - span_s]
        roles = sorted({role for sample in early + late for role in sample.memory_bytes})
        return {
            "minutes": round(self.seconds / 60, 1),
            "jobs": self.sent,
            "finished": self.counts["finished"],
            "failed": self.counts["failed"],
            "lost": self.counts["lost"] + self.counts["not sent"],
            "sent_again": self.counts["sent again"],
            "slowest_job_s": round(self.slowest_s, 1),
            "backlog_max": self.backlog_max,
            "kills": dict(self.kills),
            "running": self.service.running,
            "warm_up_s": warm_s,
            "memory_bytes": _growth(early, late, lambda sample: sum(sample.memory_bytes.values())),
            "memory_bytes_by_role": {
                role: _growth(early, late, lambda sample, role=role: sample.memory_bytes.get(role, 0))
                for role in roles
            },
            "file_descriptors": _growth(early, late, lambda sample: sample.descriptors),
            "store_files": _growth(early, late, lambda sample: sample.store_files),
            "store_bytes": _growth(early, late, lambda sample: sample.store_bytes),
            "state_files": _growth(early, late, lambda sample: sample.state_files),
            "broker_keys": _growth(early, late, lambda sample: sample.broker_keys),
            "broker_bytes": _growth(early, late, lambda sample: sample.broker_bytes),
        }


def _files(folder: Path, without: Path | None = None) -> tuple[int, int]:
    """Number and bytes of the files below a folder, but for those of another one."""
    count = size = 0
    for path, folders, names in os.walk(folder):  # it passes over folders that are removed meanwhile
        folders[:] = [name for name in folders if Path(path, name) != without]
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                size += os.lstat(os.path.join(path, name)).st_size
                count += 1
    return count, size


def _growth(early: list[Sample], late: list[Sample], of: Any) -> dict[str, float]:
    """Medians of both spans and their ratio."""
    if not early or not late:
        return {}
    before, after = (statistics.median(of(sample) for sample in span) for span in (early, late))
    return {
        "after_warm_up": before,
        "at_the_end": after,
        "growth": round(after / before, 3) if before else 0.0,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    settings = {
        **QUICK,
        "VOXCHORD_ENGINE": "silence",
        "VOXCHORD_ENGINES": SETTING,
        "VOXCHORD_LOG_LEVEL": "INFO",
    }
    with (
        tempfile.TemporaryDirectory(prefix="voxchord-soak-", ignore_cleanup_errors=True) as folder,
        RunningService(Path(folder), settings, flower=_FLOWER) as service,
    ):
        soak = Soak(service, 60 * given.minutes, random.Random(given.seed))
        soak.run()
        summary = soak.summary()
    print(json.dumps(summary), flush=True)


if __name__ == "__main__":
    main()
