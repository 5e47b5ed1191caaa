"""Tests of what the service refuses by a request's headers, its body or its time."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

import pytest
import uvicorn
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from bench.harness.http_service import HttpService
from bench.harness.services import free_port
from bench.harness.waiting import until
from pipeline.errors import OptionError
from tasks.flower.request_guard import BODY_BYTES_MAX
from tasks.settings import Settings
from web import launch, uvicorn_internals
from web.guard import Guard
from web.uvicorn_internals import BoundedProtocol


def test_hosts_sites_and_sizes_are_refused_by_the_headers(service: HttpService) -> None:
    foreign = service.ask("GET", "/health", Host="evil.example")
    assert (foreign.status, foreign.error["code"]) == (421, "unknown_host")
    assert service.ask("GET", "/health", Host="localhost:1").status == 200
    for headers in ({"Origin": "https://evil.example"}, {"Sec_Fetch_Site": "cross-site"}):
        refused = service.ask("POST", "/v1/audio/speech", {"input": "Hello."}, **headers)
        assert (refused.status, refused.error["code"]) == (403, "cross_site")
    huge = service.ask("POST", "/v1/audio/speech", b"", Content_Length=str(BODY_BYTES_MAX + 1))
    assert (huge.status, huge.error["code"]) == (413, "too_large")
    plain = service.ask("POST", "/v1/audio/speech", b'{"input": "Hello."}', Content_Type="text/plain")
    assert plain.status == 400


def test_pages_of_others_have_no_scripts_of_a_cdn(service: HttpService) -> None:
    described = service.ask("GET", "/openapi.json").json
    assert {"/v1/audio/speech", "/v1/audio/voices", "/v1/models", "/health"} <= described["paths"].keys()
    for path in ("/docs", "/redoc"):
        assert service.ask("GET", path).status == 404
    headers = service.ask("GET", "/health").headers
    assert headers["x-content-type-options"] == "nosniff"
    assert "default-src 'self'" in headers["content-security-policy"]


@pytest.mark.http
def test_a_body_without_a_length_is_bounded(service: HttpService) -> None:
    with closing(service.connection()) as connection:
        parts = (b" " * (1 << 20) for _ in range((BODY_BYTES_MAX >> 20) + 4))
        headers = {**service.base, "Transfer-Encoding": "chunked"}
        try:
            connection.request("POST", "/v1/audio/speech", parts, headers, encode_chunked=True)
        except OSError:
            return  # the server closed the connection before all was sent
        with connection.getresponse() as response:
            assert response.status == 413
            assert json.loads(response.read())["error"]["code"] == "too_large"


@pytest.mark.http
@pytest.mark.parametrize("path", ["/v1/models/..%2f..%2fetc%2fpasswd", "/v1/audio/voices/..%2f..%2fetc"])
def test_paths_do_not_leave_the_store(service: HttpService, path: str) -> None:
    for method in ("GET", "DELETE"):
        assert service.ask(method, path).status in (404, 405)
    assert service.speak("Hello.", voice="../../names/x").status == 400
    assert service.speak("Hello.", model="../x").status == 400


@pytest.mark.http
def test_no_text_is_logged(service: HttpService) -> None:
    words = "Quicksilverlike"
    assert service.speak(f"{words} is a word.").status == 200
    assert service.speak(f"{words} is a word.", voice="nobody").status == 400
    assert service.ask("POST", "/v1/audio/speech", f'{{"input": {words}'.encode()).status == 400
    logs = service.settings.state / "logs"
    assert [log.name for log in logs.iterdir() if words in log.read_text()] == []


class Impatient(BoundedProtocol):
    """Protocol with short limits."""

    header_s = 0.4
    connections_max = 3


@contextmanager
def server(app: ASGIApp | None = None) -> Iterator[int]:
    """uvicorn with the short limits, in a thread; yields its port."""
    port = free_port()
    config = uvicorn.Config(
        app or PlainTextResponse("well"), port=port, http=Impatient, log_level="error", lifespan="off"
    )
    running = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(running.serve()))
    thread.start()
    try:
        until(lambda: running.started)
        yield port
    finally:
        running.should_exit = True
        thread.join()


def closed_after_s(connection: socket.socket) -> float:
    began = time.monotonic()
    connection.settimeout(10)
    while connection.recv(1000):
        pass
    return time.monotonic() - began


def test_headers_must_arrive_in_time() -> None:
    with server() as port, closing(socket.create_connection(("127.0.0.1", port))) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        assert 0.2 < closed_after_s(connection) < 5


def test_a_body_must_arrive_in_time() -> None:
    async def anybody(_: HTTPConnection) -> None: ...

    async def reading(scope: Scope, receive: Receive, send: Send) -> None:
        await Request(scope, receive).body()
        await PlainTextResponse("well")(scope, receive, send)

    guarded = Guard(reading, authenticate=anybody, loopback=True, body_s=0.4)
    head = b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\n"
    with server(guarded) as port, closing(socket.create_connection(("127.0.0.1", port))) as connection:
        connection.settimeout(10)
        connection.sendall(head)
        answer = b""
        with suppress(OSError):  # the server closes the connection while a byte is on its way
            for _ in range(40):
                connection.sendall(b" ")
                time.sleep(0.05)
        while part := connection.recv(1000):
            answer += part
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"not complete after 0.4 s" in answer


def test_connections_are_counted() -> None:
    with server() as port:
        held = [socket.create_connection(("127.0.0.1", port)) for _ in range(3)]
        with closing(socket.create_connection(("127.0.0.1", port))) as further:
            assert closed_after_s(further) < 0.35
        for connection in held:
            connection.close()


def test_the_internals_of_uvicorn_are_there() -> None:
    uvicorn_internals.check()


def test_a_public_address_needs_a_key(tmp_path_factory: pytest.TempPathFactory) -> None:
    settings = Settings(state=tmp_path_factory.mktemp("public"))
    launch.refuse_openness(settings, "127.0.0.1")
    for host in ("0.0.0.0", "", "192.0.2.1"):  # noqa: S104 - refused
        with pytest.raises(OptionError, match="there are no keys"):
            launch.refuse_openness(settings, host)
