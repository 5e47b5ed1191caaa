"""Fuzz of the transport: malformed messages in every queue, beside sound jobs.

    python -m bench.messages [--messages 200000] [--seed 1]

A message is a sound one with random changes: of the envelope, the headers, the properties and the body, down
to single bytes. After each thousand a sound job must finish in normal time (`--slowest-s`), and no worker may
have exited. The last line is JSON.
"""

import argparse
import json
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.harness.fleet import QUICK, Fleet
from bench.harness.malformed import MALFORMED, envelope
from bench.harness.silence import SETTING
from bench.harness.waiting import until
from tasks.broker import counters
from tasks.broker.queues import INTAKE, QUEUES
from tasks.make_app import make_app
from tasks.settings import Settings

_BATCH = 1000
_QUEUES = tuple(QUEUES)
_STAGES = ",".join(name for name in QUEUES if name not in INTAKE)
_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 7, 10**30, 0.5, 1e308, "", "a", "\ud800", "\x00", "é" * 300),
    *([], [1], ["a"], [None, None], [[]], {}, {"a": 1}, {"__type__": "uuid", "__value__": {"hex": 5}}),
)
_HEADERS = (
    *("id", "task", "root_id", "parent_id", "group", "group_index", "retries", "timelimit", "eta", "expires"),
    *("stamped_headers", "stamps", "shadow", "compression", "ignore_result", "replaced_task_nesting", "lang"),
)
_PROPERTIES = ("correlation_id", "reply_to", "priority", "body_encoding", "delivery_tag", "delivery_info")
_FIELDS = ("body", "content-type", "content-encoding", "headers", "properties")


class Fuzz:
    """Source of random messages."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.kinds: tuple[Callable[[str], bytes], ...] = (
            *(self.header, self.field, self.property, self.body, self.flipped, self.cut, self.known),
        )

    def message(self, queue: str) -> bytes:
        return self.random.choice(self.kinds)(queue)

    def header(self, queue: str) -> bytes:
        names = self.random.sample(_HEADERS, self.random.randint(1, 3))
        return envelope(queue, headers={name: self.random.choice(_VALUES) for name in names})

    def field(self, queue: str) -> bytes:
        raw = json.loads(envelope(queue))
        name = self.random.choice(_FIELDS)
        if self.random.random() < 0.3:
            del raw[name]
        else:
            raw[name] = self.random.choice(_VALUES)
        return json.dumps(raw).encode()

    def property(self, queue: str) -> bytes:
        return envelope(queue, properties={self.random.choice(_PROPERTIES): self.random.choice(_VALUES)})

    def body(self, queue: str) -> bytes:
        parts: list[Any] = [[], {"script": 7}, {}]
        parts[self.random.randrange(3)] = self.random.choice(_VALUES)
        if self.random.random() < 0.3:
            embedded = self.random.choice(("callbacks", "errbacks", "chain", "chord"))
            parts[2] = {embedded: self.random.choice(_VALUES)}
        return envelope(queue, body=json.dumps(parts[: self.random.randint(0, 3)]).encode())

    def flipped(self, queue: str) -> bytes:
        data = bytearray(envelope(queue, body=b'[[], {"script": 7}, {}]'))
        for _ in range(self.random.randint(1, 4)):
            data[self.random.randrange(len(data))] = self.random.randrange(256)
        return bytes(data)

    def cut(self, queue: str) -> bytes:
        data = envelope(queue)
        return data[: self.random.randrange(len(data))]

    def known(self, queue: str) -> bytes:
        return self.random.choice(list(MALFORMED.values()))(queue)


def run(fleet: Fleet, messages: int, seed: int, slowest_s: float) -> dict[str, Any]:
    """Send messages in batches, each followed by a sound job."""
    fuzz, sent, slowest = Fuzz(seed), 0, 0.0
    before = {name: process.pid for name, process in fleet.workers.items()}
    started = time.monotonic()
    while sent < messages:
        for queue in _QUEUES:
            batch = [fuzz.message(queue) for _ in range(_BATCH // len(_QUEUES) + 1)]
            fleet.client.lpush(queue, *batch)
            sent += len(batch)
        until(lambda: not any(fleet.client.llen(queue) for queue in _QUEUES), 300)
        moment = time.monotonic()
        fleet.send(f"Anna: Sound job after {sent} messages.").get(timeout=slowest_s)
        slowest = max(slowest, time.monotonic() - moment)
        exited = [name for name, process in fleet.workers.items() if process.poll() is not None]
        if exited:
            raise SystemExit(f"workers exited after {sent} messages: {exited}")
    now = {name: process.pid for name, process in fleet.workers.items()}
    app = make_app(Settings(state=fleet.folder / "client", metering=False), fleet.url)
    counted = {name: count for name, count in counters.read(app).items() if name != counters.NOT_RESUMED}
    return {
        "messages": sent,
        "seed": seed,
        "dead_letters": counted,
        "jobs": sent // _BATCH,
        "slowest_job_s": round(slowest, 2),
        "workers_restarted": sum(before[name] != now[name] for name in before),
        "wall_s": round(time.monotonic() - started, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--messages", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--slowest-s", type=float, default=20.0)
    given = parser.parse_args()
    settings = {**QUICK, "VOXCHORD_ENGINE": "silence", "VOXCHORD_ENGINES": SETTING}
    layout = {"intake": "voxchord", "work": _STAGES}
    with (
        tempfile.TemporaryDirectory() as folder,
        Fleet(Path(folder), settings=settings, layout=layout) as fleet,
    ):
        fleet.start()
        fleet.ready()
        print(json.dumps(run(fleet, given.messages, given.seed, given.slowest_s)), flush=True)


if __name__ == "__main__":
    main()
