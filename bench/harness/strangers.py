"""Strangers who connect to a service on loopback and do their worst.

Each acts in a thread until the end, and reports how often it was answered. Nobody has Flower's password. The
senders of malformed messages have the broker's, as a client with a bug does.
"""

import base64
import os
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import get_context
from queue import Empty
from typing import Any
from urllib.parse import urlsplit

import redis

from bench.harness.malformed import MALFORMED
from tasks.broker.queues import QUEUES

_CHUNK = 64 << 10
_LARGE = 98_000_000
_TIMEOUT_S = 15.0


@dataclass(frozen=True, slots=True)
class Target:
    """Addresses of the service, and the bandwidth of all strangers' large bodies together."""

    ports: tuple[int, ...]
    broker_url: str
    line_bytes_per_s: float


class Flood:
    """Strangers in a process of their own, of low priority, since they would be on other machines."""

    def __init__(self, target: Target, strangers: int, seconds: float, seed: int) -> None:
        context = get_context("spawn")
        self._counts: Any = context.Queue()
        self._process = context.Process(
            target=_flood, args=(target, strangers, seconds, seed, self._counts), daemon=True
        )

    def start(self) -> None:
        self._process.start()

    @property
    def alive(self) -> bool:
        return self._process.is_alive()

    def counts(self) -> dict[str, int]:
        """Wait for the end; returns the numbers of requests and answers."""
        try:
            found: dict[str, int] = self._counts.get(timeout=300)
        except Empty:
            raise SystemExit("the strangers did not end") from None
        self._process.join(30)
        return found


def _flood(target: Target, strangers: int, seconds: float, seed: int, counts: Any) -> None:
    os.nice(10)
    counted: Counter[str] = Counter()
    until = time.monotonic() + seconds
    share = target.line_bytes_per_s / max(1, strangers // len(_KINDS))
    threads = []
    for number in range(strangers):
        kind = _KINDS[number % len(_KINDS)]
        stranger = _Stranger(target, until, share, random.Random(seed + number), counted)
        threads.append(threading.Thread(target=stranger.act, args=(kind,), daemon=True))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(seconds + 2 * _TIMEOUT_S)
    counts.put(dict(counted))


class _Stranger:
    def __init__(
        self, target: Target, until: float, share: float, chance: random.Random, counted: Counter[str]
    ) -> None:
        self.target, self.until, self.share = target, until, share
        self.random, self.counted = chance, counted

    def act(self, kind: Callable[["_Stranger"], str]) -> None:
        """Repeat one kind of request; a connection that is refused or cut is an answer too."""
        while time.monotonic() < self.until:
            try:
                answer = kind(self)
            except (OSError, redis.exceptions.RedisError) as error:
                answer = type(error).__name__
            self.counted[f"{kind.__name__.strip('_').replace('_', ' ')}: {answer}"] += 1
            time.sleep(self.random.uniform(0.1, 0.4))

    def connect(self) -> socket.socket:
        port = self.random.choice(self.target.ports)
        return socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT_S)

    def left_s(self) -> float:
        return self.until - time.monotonic()


def _slow_headers(stranger: _Stranger) -> str:
    """Send a header a byte at a time, and never end it."""
    with stranger.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
        while stranger.left_s() > 0:
            connection.sendall(b"a")
            if stranger.random.random() < 0.01:
                return "gave up"
            time.sleep(0.5)
    return "held to the end"


def _slow_body(stranger: _Stranger) -> str:
    """Announce a body and send it a byte at a time."""
    with stranger.connect() as connection:
        connection.sendall(_head(stranger, 1_000_000))
        while stranger.left_s() > 0:
            connection.sendall(b"a")
            time.sleep(0.5)
            connection.setblocking(False)
            try:
                answer = connection.recv(4096)
            except BlockingIOError:
                continue
            finally:
                connection.settimeout(_TIMEOUT_S)
            return _status(answer)
    return "held to the end"


def _large_body(stranger: _Stranger) -> str:
    """Send a body of 98 MB at the stranger's share of the line, and go on after the refusal."""
    with stranger.connect() as connection:
        connection.sendall(_head(stranger, _LARGE))
        sent, answer, chunk = 0, b"", bytes(_CHUNK)
        while sent < _LARGE and stranger.left_s() > 0:
            connection.sendall(chunk)
            sent += _CHUNK
            time.sleep(_CHUNK / stranger.share)
        connection.settimeout(1)
        answer = connection.recv(4096)
    return _status(answer)


def _bad_password(stranger: _Stranger) -> str:
    """Guess a password of Flower, or of the broker."""
    if stranger.random.random() < 0.3:
        parts = urlsplit(stranger.target.broker_url)
        guess = redis.Redis(host=parts.hostname or "", port=parts.port or 0, password="guess")  # noqa: S106
        with guess:
            guess.ping()
        return "accepted"
    word = base64.b64encode(f"voxchord:{stranger.random.random()}".encode()).decode()
    with stranger.connect() as connection:
        line = f"GET /api/workers HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {word}\r\n"
        connection.sendall(f"{line}Connection: close\r\n\r\n".encode())
        return _status(connection.recv(4096))


def _bad_message(stranger: _Stranger) -> str:
    """Put malformed messages into a queue."""
    name = stranger.random.choice(sorted(MALFORMED))
    queue = stranger.random.choice(sorted(QUEUES))
    with redis.Redis.from_url(stranger.target.broker_url) as client:
        client.lpush(queue, MALFORMED[name](queue))
    return "sent"


_KINDS: tuple[Callable[[_Stranger], str], ...] = (
    *(_slow_headers, _slow_body, _large_body, _bad_password, _bad_message),
)


def _head(stranger: _Stranger, length: int) -> bytes:
    path = stranger.random.choice(("/voxchord/voices/x", "/api/task/send-task/x", "/v1/audio/speech"))
    method = "PUT" if "voices" in path else "POST"
    return f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n".encode()


def _status(answer: bytes) -> str:
    return answer.partition(b"\r\n")[0].decode("latin-1")[9:12] or "closed"
