"""A speech server in a thread that answers as it is told, on a raw socket, and records what it was asked."""

import contextlib
import io
import json
import socket
import socketserver
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import soundfile

RATE_HZ = 24_000


@dataclass(frozen=True, slots=True)
class Asked:
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any]


Behaviour = Callable[["SpeechServerInTests", Asked, socket.socket], None]
"""Writes an answer; the connection is closed after it."""


@dataclass
class SpeechServerInTests:
    """Its address, its requests, and its next behaviours; a sound one after these."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    next: deque[Behaviour] = field(default_factory=deque)
    always: Behaviour | None = None
    voices: object = None
    models: object = None
    busy: int = 0
    busy_max: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    hold_s: float = 0.0

    @property
    def speeches(self) -> list[Asked]:
        return [each for each in self.asked if each.path.endswith("/audio/speech")]


def wav(seconds: float = 0.5, rate_hz: int = RATE_HZ, channels: int = 1, kind: str = "WAV") -> bytes:
    """A tone in a file."""
    times = np.arange(round(seconds * rate_hz)) / rate_hz
    tone = np.repeat((0.3 * np.sin(2 * np.pi * 220 * times))[:, None], channels, axis=1)
    file = io.BytesIO()
    soundfile.write(file, tone, rate_hz, format=kind)
    return file.getvalue()


def pcm(seconds: float = 0.5, rate_hz: int = RATE_HZ) -> bytes:
    times = np.arange(round(seconds * rate_hz)) / rate_hz
    samples: bytes = (9000 * np.sin(2 * np.pi * 220 * times)).astype("<i2").tobytes()
    return samples


def answer(
    status: int = 200,
    body: bytes = b"",
    content_type: str = "audio/wav",
    length: int | None = None,
    **headers: str,
) -> Behaviour:
    """Answer with a body; `length` is the header's if it is not the body's."""

    def write(server: SpeechServerInTests, asked: Asked, connection: socket.socket) -> None:
        named = {"Content-Type": content_type, "Content-Length": str(len(body) if length is None else length)}
        named |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection.sendall(_head(status, named) + body)

    return write


def error(status: int, code: str = "a_code", **headers: str) -> Behaviour:
    """An error in OpenAI's shape, which quotes the request's words, as real servers do."""

    def write(server: SpeechServerInTests, asked: Asked, connection: socket.socket) -> None:
        content = {"error": {"message": f"cannot say {asked.body.get('input')}", "type": "t", "code": code}}
        answer(status, json.dumps(content).encode(), "application/json", None, **headers)(
            server, asked, connection
        )

    return write


def chunked(body: bytes, *, whole: bool = True, content_type: str = "audio/wav") -> Behaviour:
    """A streamed answer; not `whole` cuts the connection before its end."""

    def write(server: SpeechServerInTests, asked: Asked, connection: socket.socket) -> None:
        connection.sendall(_head(200, {"Content-Type": content_type, "Transfer-Encoding": "chunked"}))
        for start in range(0, len(body), 4096):
            part = body[start : start + 4096]
            connection.sendall(f"{len(part):x}\r\n".encode() + part + b"\r\n")
        if whole:
            connection.sendall(b"0\r\n\r\n")

    return write


def cut(server: SpeechServerInTests, asked: Asked, connection: socket.socket) -> None:
    """Close the connection without an answer."""


def garbage(server: SpeechServerInTests, asked: Asked, connection: socket.socket) -> None:
    """Answer something that is not HTTP."""
    connection.sendall(b"\x00\x01SSH-2.0-other\r\n\r\n")


def silent(seconds: float) -> Behaviour:
    """Say nothing for a time, or until the client goes away."""

    def write(server: SpeechServerInTests, asked: Asked, connection: socket.socket) -> None:
        connection.settimeout(0.02)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            with contextlib.suppress(TimeoutError):
                if not connection.recv(1):
                    return

    return write


def dripping(server: SpeechServerInTests, asked: Asked, connection: socket.socket) -> None:
    """Send a byte now and then, for ever."""
    connection.sendall(_head(200, {"Content-Type": "audio/wav", "Transfer-Encoding": "chunked"}))
    with contextlib.suppress(OSError):
        while True:
            connection.sendall(b"1\r\nR\r\n")
            time.sleep(0.02)


def endless(server: SpeechServerInTests, asked: Asked, connection: socket.socket) -> None:
    """Send audio for ever."""
    connection.sendall(_head(200, {"Content-Type": "audio/wav", "Transfer-Encoding": "chunked"}))
    block = b"10000\r\n" + bytes(1 << 16) + b"\r\n"
    with contextlib.suppress(OSError):
        while True:
            connection.sendall(block)


@contextlib.contextmanager
def speech_server() -> Iterator[SpeechServerInTests]:
    """Serve on a free port of this machine until the body ends."""
    state = SpeechServerInTests()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError):
                _serve(state, self.request)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads, allow_reuse_address, request_queue_size = True, True, 64

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        state.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        try:
            yield state
        finally:
            server.shutdown()
            thread.join()


def _serve(state: SpeechServerInTests, connection: socket.socket) -> None:
    asked = _request(connection)
    state.asked.append(asked)
    if asked.method == "GET":
        listed = state.voices if asked.path.endswith("/voices") else state.models
        if callable(listed):
            listed(state, asked, connection)
        elif listed is None:
            answer(404)(state, asked, connection)
        else:
            answer(200, json.dumps(listed).encode(), "application/json")(state, asked, connection)
        return
    with state.lock:
        state.busy += 1
        state.busy_max = max(state.busy, state.busy_max)
        behaviour = state.next.popleft() if state.next else state.always or answer(200, wav())
    try:
        time.sleep(state.hold_s)
        behaviour(state, asked, connection)
    finally:
        with state.lock:
            state.busy -= 1


def _request(connection: socket.socket) -> Asked:
    data = b""
    while b"\r\n\r\n" not in data:
        data += _more(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        body += _more(connection)
    return Asked(method, path, headers, json.loads(body) if body else {})


def _more(connection: socket.socket) -> bytes:
    part = connection.recv(1 << 16)
    if not part:
        raise ConnectionError
    return part


def _head(status: int, headers: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} Reason", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode()
