"""Webhooks of jobs over HTTP: a finished job calls its client, signed with the client's own secret."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bench.harness import forked
from bench.harness.http_service import HttpService, http_service
from bench.harness.waiting import until

PATH = "/v1/audio/jobs"
Received = list[tuple[str, dict[str, str], bytes]]


@pytest.fixture
def receiver() -> Iterator[tuple[str, Received]]:
    received: Received = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            named = {name.lower(): value for name, value in self.headers.items()}
            received.append((self.path, named, body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"127.0.0.1:{server.server_port}", received
    server.shutdown()
    server.server_close()


@pytest.fixture
def hooked(tmp_path: Path, receiver: tuple[str, Received]) -> Iterator[HttpService]:
    """A service that allows the receiver."""
    allowed = {"webhook_hosts": receiver[0], "webhook_secret": "a secret of the operator"}
    with http_service(tmp_path / "state", spawn=forked.spawn, concurrency=1, **allowed) as running:
        yield running


@pytest.mark.http
def test_a_job_calls_its_webhook(hooked: HttpService, receiver: tuple[str, Received]) -> None:
    from openai import OpenAI

    host, received = receiver
    body = {"id": "called", "input": "Ann: Velvet curtains.", "webhook": f"http://{host}/hook?token=t0ken"}
    made = hooked.ask("POST", PATH, body)
    assert made.status == 201, made.body
    until(lambda: len(received) == 1, timeout_s=60)
    path, headers, content = received[0]
    assert path == "/hook?token=t0ken"
    secret = hooked.ask("GET", "/v1/audio/webhook_secret").json["secret"]
    OpenAI(api_key="k").webhooks.verify_signature(content, headers, secret=secret)
    event = json.loads(content)
    assert (event["type"], event["data"]["id"]) == ("audio.job.completed", "called")
    assert event["data"]["job"] == hooked.ask("GET", f"{PATH}/called").json["job"]
    assert b"elvet" not in content
    logs = "".join(file.read_text() for file in (hooked.settings.state / "logs").iterdir())
    assert "t0ken" not in logs
    for url in (
        "http://127.0.0.1:1/",
        "https://example.com/",
        "file:///etc/passwd",
        f"http://{host}@evil.net/",
    ):
        refused = hooked.ask("POST", PATH, {"input": "Ann: Hi.", "webhook": url})
        assert (refused.status, refused.error["param"]) == (400, "webhook"), url
        assert url not in refused.body.decode()
