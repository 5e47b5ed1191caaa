"""Tests of requests as odd clients, proxies and load balancers send them."""

import json
import socket
import struct
from contextlib import closing
from typing import Any

import pytest

from bench.harness.http_service import HttpService
from tests.web.audio import decoded

SPEECH = "/v1/audio/speech"
TEXT = "The harbour was quiet that morning."
pytestmark = pytest.mark.http


def exchanged(service: HttpService, *parts: bytes) -> bytes:
    """All that is answered to bytes on a connection; each part waits for an answer to the one before."""
    found = b""
    with closing(socket.create_connection(("127.0.0.1", service.port), timeout=30)) as connection:
        for part in parts[:-1]:
            connection.sendall(part)
            found += connection.recv(65536)
        connection.sendall(parts[-1])
        while data := connection.recv(65536):
            found += data
    return found


def request(body: Any, *headers: str, version: str = "1.1") -> tuple[bytes, bytes]:
    """Head and body of a request for speech."""
    data = json.dumps(body).encode()
    given = ("Host: 127.0.0.1", "Content-Type: application/json", f"Content-Length: {len(data)}", *headers)
    return "\r\n".join([f"POST {SPEECH} HTTP/{version}", *given, "", ""]).encode(), data


def test_null_is_the_default_of_a_field(service: HttpService) -> None:
    fields = ("voice", "response_format", "speed", "stream_format", "instructions", "voices", "options")
    found = service.speak(TEXT, **dict.fromkeys(fields))
    assert (found.status, found.headers["content-type"]) == (200, "audio/mpeg")
    for field, body in {"input": {"input": None}, "foo": {"input": TEXT, "foo": None}}.items():
        refused = service.ask("POST", SPEECH, body)
        assert (refused.status, refused.error["param"]) == (400, field)


@pytest.mark.parametrize(
    ("body", "kind", "reason"),
    [
        (b'{"input": "Hello."}', "text/plain", "application/json"),
        (b'{"input": "Hello."}', "", "application/json"),
        (b"input=Hello.", "application/x-www-form-urlencoded", "application/json"),
        (b"[]", "application/json", "no JSON object"),
        (b'{"input": "caf\xe9"}', "application/json", "JSON in UTF-8"),
        (b"[" * 100_000, "application/json", "JSON in UTF-8"),
    ],
)
def test_a_body_that_is_no_json_is_refused_with_a_remedy(
    service: HttpService, body: bytes, kind: str, reason: str
) -> None:
    refused = service.ask("POST", SPEECH, body, Content_Type=kind)
    assert refused.status == 400
    assert reason in refused.error["message"]


@pytest.mark.parametrize("voice", [5, ["wren"], {"name": "wren"}, {"id": "wren", "more": 1}])
def test_a_voice_of_another_shape_names_the_field(service: HttpService, voice: object) -> None:
    refused = service.speak(TEXT, voice=voice)
    assert refused.status == 400
    assert str(refused.error["param"]).startswith("voice")
    assert "VoiceId" not in refused.error["message"]


def test_slashes_too_many_are_left_out(service: HttpService) -> None:
    for path in ("/v1/models/", "//v1/models", "/v1//audio//voices/"):
        assert service.ask("GET", path).status == 200, path
    assert service.ask("POST", f"{SPEECH}/", {"input": TEXT}).status == 200
    huge = service.ask("POST", f"//v1{SPEECH[3:]}/", b"", Content_Length=str(1 << 40))
    assert huge.status == 413, "the limit of a path is that of its plain form"


def test_head_has_the_headers_of_get(service: HttpService) -> None:
    for path in ("/health", "/", "/v1/models", "/v1/audio/voices", "/openapi.json"):
        head, get = service.ask("HEAD", path), service.ask("GET", path)
        assert (head.status, head.body) == (200, b""), path
        assert head.headers["content-length"] == str(len(get.body))
    assert service.ask("HEAD", SPEECH).status == 405
    assert service.ask("HEAD", "/v1/audio/jobs/nothing").status == 404
    assert service.ask("HEAD", "/v1/audio/jobs/nothing/events").status == 405


def test_http_1_0_has_no_chunks(service: HttpService) -> None:
    head, body = request({"input": TEXT}, version="1.0")
    answer = exchanged(service, head + body)
    headers, _, audio = answer.partition(b"\r\n\r\n")
    assert headers.startswith(b"HTTP/1.1 200")
    assert b"transfer-encoding" not in headers.lower()
    assert decoded(audio, "mp3").duration_s > 1


def test_a_client_that_expects_to_continue_is_answered(service: HttpService) -> None:
    head, body = request({"input": TEXT}, "Expect: 100-continue", "Connection: close")
    answer = exchanged(service, head, body)
    assert answer.startswith(b"HTTP/1.1 100 ")
    assert b"HTTP/1.1 200 OK" in answer


@pytest.mark.parametrize("sent", [20, 120, 10_000], ids=["within the headers", "within the body", "after it"])
def test_abrupt_closes_leave_the_service_alone(service: HttpService, sent: int) -> None:
    data = b"".join(request({"input": TEXT * 50}, "Connection: close"))
    for _ in range(20):
        with closing(socket.create_connection(("127.0.0.1", service.port), timeout=10)) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # RST
            connection.sendall(data[:sent])
    assert service.speak(TEXT).status == 200


def test_a_page_of_another_site_is_granted_nothing(service: HttpService) -> None:
    asked = {"Origin": "https://evil.example", "Access_Control_Request_Method": "POST"}
    answer = service.ask("OPTIONS", SPEECH, **asked)
    assert answer.status == 405
    assert not [name for name in answer.headers if name.startswith("access-control")]
