"""A real service with Flower, and access to everything that could leak script text."""

import base64
import json
import re
import socket
import sqlite3
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis
from celery import Celery

from bench.harness import forked
from bench.harness.http_service import Answer
from bench.harness.services import free_port
from bench.harness.waiting import until
from tasks.local.service import LocalService
from tasks.settings import Settings


def two_free_ports() -> int:
    """First of two consecutive free ports."""
    while True:
        port = free_port()
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
        return port


@dataclass(frozen=True, slots=True)
class Console:
    """The service from the view of other apps and browsers."""

    settings: Settings
    url: str
    """Flower's URL, without its password."""
    credentials: str
    broker: str
    metrics_port: int
    """Metrics port of the first worker; the other uses the next."""
    flower: int | None
    """Process ID of Flower, if the service started it."""
    events: list[dict[str, Any]] = field(default_factory=list)
    """All events since the start, in serialised form."""

    def ask(
        self,
        path: str,
        data: Any = None,
        *,
        method: str | None = None,
        headers: dict[str, str] | None = None,
        credentials: str | None = None,
    ) -> Answer:
        """Send a request with basic authentication, unless `credentials` is empty."""
        login = self.credentials if credentials is None else credentials
        body = data if isinstance(data, bytes | None) else json.dumps(data).encode()
        request = urllib.request.Request(self.url + path, data=body, method=method, headers=headers or {})  # noqa: S310 - loopback
        if login:
            request.add_header("Authorization", "Basic " + base64.b64encode(login.encode()).decode())
        try:
            with urllib.request.urlopen(request, timeout=90) as answer:  # noqa: S310 - loopback
                return Answer(answer.status, dict(answer.headers), answer.read())
        except urllib.error.HTTPError as refusal:
            with refusal:
                return Answer(refusal.code, dict(refusal.headers), refusal.read())

    def elsewhere(self, program: str, folder: Path, *arguments: str, timeout_s: float = 90) -> str:
        """Run another app's program, in another folder and without our code on its path."""
        done = subprocess.run(
            [sys.executable, "-c", program, self.broker, *arguments],
            cwd=folder,
            env={"PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def places(self) -> dict[str, str]:
        """All readable data by source: events, logs, Flower, broker, results, history.

        Messages that wait in a queue, or could not be understood and may be put back, hold what was sent.
        """
        found = {"events": repr(self.events)}
        for log in (self.settings.state / "logs").iterdir():
            found[f"log {log.name}"] = log.read_text()
        tasks = self.ask("/api/tasks?limit=10000")
        found["Flower's tasks"] = tasks.body.decode()
        for task in tasks.json:
            found[f"Flower's task {task}"] = self.ask(f"/api/task/info/{task}").body.decode()
        with redis.Redis.from_url(self.broker) as client:
            keys = [key for key in client.scan_iter("*") if key != b"voxchord.dead_letters.messages"]
            found |= {f"key {key!r}": repr(key) + repr(_value(client, key)) for key in keys}
        with sqlite3.connect(self.settings.state / "history.db") as history:
            found["history"] = "\n".join(history.iterdump())
        history.close()
        for rows in (self.settings.state / "history").rglob("*"):
            if rows.is_file():
                found[f"spool {rows.name}"] = rows.read_text(errors="replace")
        return found

    def telling(self, *words: str) -> list[str]:
        """Sources that contain one of the words, plainly or in base64."""
        return [place for place, text in self.places().items() if _said(text, words)]


def _value(client: Any, key: bytes) -> Any:
    readers: dict[bytes, Callable[[], Any]] = {
        b"string": lambda: client.get(key),
        b"list": lambda: client.lrange(key, 0, -1),
        b"hash": lambda: client.hgetall(key),
        b"set": lambda: client.smembers(key),
        b"zset": lambda: client.zrange(key, 0, -1, withscores=True),
        b"stream": lambda: client.xrange(key),
        b"none": lambda: None,
    }
    return readers[client.type(key)]()


def _said(text: str, words: tuple[str, ...]) -> bool:
    whole = [text, *(_decoded(run) for run in re.findall(r"[A-Za-z0-9+/]{16,}={0,2}", text))]
    return any(word.lower() in part.lower() for part in whole for word in words)


def _decoded(run: str) -> str:
    whole = run.rstrip("=")
    return base64.b64decode(whole[: len(whole) // 4 * 4]).decode(errors="replace")


@contextmanager
def running(folder: Path) -> Iterator[Console]:
    """Start an embedded broker, an intake worker, two working processes and Flower.

    Jobs of the engine `gated` wait for a file in the state folder.
    """
    metrics = two_free_ports()
    login = "voxchord:Tr0ub,4dör&3"  # Flower's own list would split it
    settings = Settings(
        state=folder,
        log_level="INFO",
        metrics_port=metrics,
        flower_password=login,
        engines={"gated": "tests.cli.gated:Gated"},
    )
    with LocalService(settings, concurrency=2, spawn=forked.spawn) as local:
        port = free_port()
        password = local.start_flower(port).read_text().strip()
        flower = local.processes[-1].pid
        console = Console(settings, f"http://127.0.0.1:{port}", password, local.broker_url, metrics, flower)
        with _listening(console):
            until(lambda: _answers(console), timeout_s=90)
            yield console


def _answers(console: Console) -> bool:
    try:
        asked = len(console.ask("/api/workers?refresh=1").json)
        heard = len(console.ask("/workers?json=1").json["data"])  # by their heartbeats: it listens to events
        return asked == heard == 2
    except (OSError, ValueError):
        return False


class _listening:
    """Record all events of the broker."""

    def __init__(self, console: Console) -> None:
        self._app = Celery("listener", broker=console.broker)
        self._keep = console.events.append
        self._ready, self._done = threading.Event(), False
        self._thread = threading.Thread(target=self._listen)

    def __enter__(self) -> None:
        self._thread.start()
        self._ready.wait(10)

    def __exit__(self, *_: object) -> None:
        self._done = True
        self._thread.join()
        self._app.close()

    def _listen(self) -> None:
        with self._app.connection_for_read() as connection:
            receiver = self._app.events.Receiver(connection, handlers={"*": self._keep})
            with receiver.consumer_context(wakeup=False) as (own, _, _):
                self._ready.set()
                while not self._done:
                    try:
                        own.drain_events(timeout=0.2)
                    except TimeoutError:
                        continue
