"""Flower judges requests by their headers, and its pages cannot be framed."""

import socket
from contextlib import ExitStack
from urllib.parse import urlparse

import psutil
import pytest
from tornado.httputil import HTTPHeaders, RequestStartLine

from tasks.flower import request_guard
from tasks.flower.request_guard import Guard, authorized
from tests.console import Console


def answer_to(console: Console, head: str, body: bytes = b"") -> bytes:
    """First line of the answer to a request whose body is not complete."""
    with socket.create_connection(("127.0.0.1", urlparse(console.url).port or 0), timeout=10) as stranger:
        stranger.sendall(head.encode("latin-1") + b"\r\n\r\n" + body)
        return stranger.recv(4096).partition(b"\r\n")[0]


def flowers_memory(console: Console) -> int:
    return int(psutil.Process(console.flower).memory_info().rss)


def test_bodies_of_strangers_are_not_read(console: Console) -> None:
    before = flowers_memory(console)
    head = "PUT /voxchord/voices/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99000000\r\n\r\n"
    with ExitStack() as held:
        for _ in range(8):
            port = urlparse(console.url).port
            stranger = held.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
            stranger.sendall(head.encode())
            assert stranger.recv(4096).startswith(b"HTTP/1.1 401")
            stranger.sendall(bytes(98_000_000))
        assert flowers_memory(console) - before < 64 << 20


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("POST /api/task/send-task/x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked", b"401"),
        ("GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5", b"401"),
        ("GET / HTTP/1.1\r\nHost: evil.example", b"421"),
        ("GET / HTTP/1.1\r\nHost: localhost.evil.example:5555", b"421"),
        ("GET /healthcheck HTTP/1.1\r\nHost: [::1]:5555", b"200"),
        ("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Basic é", b"401"),
        ("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer abc", b"401"),
        ("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Basic w6k6w7w=", b"401"),
    ],
)
def test_strangers_are_refused_by_their_headers(console: Console, head: str, status: bytes) -> None:
    assert answer_to(console, head).split()[1] == status


def test_every_part_of_a_password_with_a_comma_is_refused(console: Console) -> None:
    assert "," in console.credentials
    assert not console.credentials.isascii()
    assert console.ask("/api/workers").status == 200
    for part in console.credentials.split(","):
        assert console.ask("/api/workers", credentials=part).status == 401


def test_pages_cannot_be_framed(console: Console) -> None:
    for path in ("/", "/tasks", "/api/workers"):
        headers = console.ask(path).headers
        assert headers["X-Frame-Options"] == "SAMEORIGIN"
        assert "frame-ancestors 'self'" in headers["Content-Security-Policy"]


def test_credentials_are_taken_in_utf8_and_latin1() -> None:
    assert authorized("Basic bWU6cMOkc3M=", ["me:päss"])
    assert authorized("basic bWU65HNz", ["me:äss"])
    assert not authorized("Basic bWU6cGFzcw==", ["me:päss"])


def judged(guard: Guard, method: str, path: str, **headers: str) -> int:
    """Status of the refusal; 0 if there is none."""
    given = HTTPHeaders({name.replace("_", "-"): value for name, value in headers.items()})
    refusal = guard.refusal(RequestStartLine(method, path, "HTTP/1.1"), given)
    return refusal.status if refusal else 0


def test_bodies_are_limited_with_the_password_too() -> None:
    guard = Guard(credentials=("me:äss",), loopback=False)
    voice, limit = str(request_guard.VOICE_BYTES_MAX), str(request_guard.BODY_BYTES_MAX)
    login = {"Authorization": "Basic bWU65HNz"}
    assert judged(guard, "PUT", "/prefix/voxchord/voices/x?a", Content_Length=voice, **login) == 0
    assert judged(guard, "POST", "/api/task/send-task/x", Content_Length=limit, **login) == 0
    assert judged(guard, "POST", "/api/task/send-task/x", Content_Length=voice, **login) == 413
    assert judged(guard, "POST", "/api/task/send-task/x", Content_Length="1e3", **login) == 413
    assert judged(guard, "POST", "/", Content_Length="9" * 5000, **login) == 413


def test_proxies_pass_requests_under_configured_names() -> None:
    guard = Guard(credentials=(), loopback=True, hosts=frozenset({"console.example"}))
    assert judged(guard, "GET", "/", Host="Console.example:8443") == 0
    assert judged(guard, "GET", "/", Host="other.example") == 421
    assert judged(guard, "GET", "/") == 421
    assert judged(Guard(credentials=(), loopback=False), "GET", "/", Host="other.example") == 0
