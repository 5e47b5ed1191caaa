"""The HTTP service with its broker and workers, for tests and benches, and a plain client of it."""

import http.client
import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil

from bench.harness.services import free_port
from bench.harness.waiting import until
from tasks.local.processes import ROOT, Spawn, spawn
from tasks.local.service import LocalService
from tasks.settings import Settings
from web import launch


@dataclass(frozen=True, slots=True)
class Answer:
    """Response of a service."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        """Content of OpenAI's error object."""
        found: dict[str, Any] = self.json["error"]
        assert found.keys() == {"message", "type", "param", "code"}
        return found


@dataclass(frozen=True, slots=True)
class HttpService:
    """A running service."""

    settings: Settings
    """Settings with the URL of the broker."""
    port: int
    local: LocalService
    base: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    client_suffix: str = ""
    """End of the names of the clients that are created, so that tests may share a service."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def connection(self, timeout_s: float = 120) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Send one request; a body that is not bytes is sent as JSON."""
        data = body if isinstance(body, bytes | None) else json.dumps(body)
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        with closing(self.connection()) as connection:
            connection.request(method, path, data, {**self.base, **given})
            with connection.getresponse() as response:
                named = {name.lower(): value for name, value in response.getheaders()}
                return Answer(response.status, named, response.read())

    def speak(self, text: str, *, key: str | None = None, **fields: Any) -> Answer:
        """Ask for speech with the default voice."""
        body = {"model": "tts-1", "voice": "alloy", "input": text, **fields}
        return self.ask("POST", "/v1/audio/speech", body, **({} if key is None else bearer(key)))

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the command line with the service's settings."""
        environment = {**os.environ, **launch.environment(self.settings)}
        return subprocess.run(
            [launch.command("", 0, 1)[0], "voxchord.py", *arguments],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def client(self, name: str) -> str:
        """Full name of a client."""
        return f"{name}{self.client_suffix}"

    def key(self, name: str, *quotas: str) -> str:
        """Create a key of a client, which has its effect when this returns."""
        done = self.command("keys", "create", self.client(name), *quotas)
        assert done.returncode == 0, done.stderr
        key = done.stdout.strip()
        until(lambda: self.ask("GET", "/v1/models", **bearer(key)).status == 200)
        return key

    def process(self) -> psutil.Process:
        """Process of the server."""
        own = psutil.Process().children(recursive=True)
        return next(
            each for each in own if "web.server" in each.cmdline() and str(self.port) in each.cmdline()
        )


def bearer(key: str) -> dict[str, str]:
    """Header with a key."""
    return {"Authorization": f"Bearer {key}"}


@contextmanager
def http_service(
    folder: Path, *, concurrency: int = 2, spawn: Spawn = spawn, **settings: Any
) -> Iterator[HttpService]:
    """Run broker, workers and HTTP service; yields when it answers and the workers have their model."""
    given = replace(Settings(state=folder), **settings)
    with LocalService(given, concurrency=concurrency, spawn=spawn) as local:
        port = free_port()
        own = local.child_settings()
        command = launch.command("127.0.0.1", port, 1, with_starter=True)
        local.start_http(command, launch.environment(own))
        service = HttpService(own, port, local)
        until(lambda: _answers(service), timeout_s=90)
        yield service


@contextmanager
def beside(service: HttpService, *, processes: int = 1, **settings: Any) -> Iterator[HttpService]:
    """Run another server on the same store and broker, with other settings."""
    port, own = free_port(), replace(service.settings, **settings)
    command = launch.command("127.0.0.1", port, processes)
    log = open(service.settings.state / "logs" / f"beside.{port}.log", "wb")  # noqa: SIM115 - closed below
    server = subprocess.Popen(command, cwd=ROOT, env=launch.environment(own), stdout=log, stderr=log)
    another = HttpService(own, port, service.local)
    try:
        until(lambda: _connects(another), timeout_s=60)
        yield another
    finally:
        server.terminate()
        server.wait(30)
        log.close()


def _connects(service: HttpService) -> bool:
    try:
        return service.ask("GET", "/v1/models").status > 0
    except OSError:
        return False


def _answers(service: HttpService) -> bool:
    try:
        return service.ask("GET", "/health").status == 200
    except OSError:
        return False


def warm_up(service: HttpService, processes: int = 2) -> None:
    """Make every working process load its model."""
    for number in range(3 * processes):
        assert service.speak(f"Warm up {number}. " * 20, first_segment_words=20).status == 200
        time.sleep(0.2)
