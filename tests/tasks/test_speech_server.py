"""The engine `openai` in a real service: a job through a speech server that speaks, and fails on the way."""

import functools
import io
import json
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hibari
import pytest
import soundfile
from celery import Celery

from db.database import open_database
from db.queries.jobs import costs
from pipeline.errors import SegmentError
from pipeline.jobs.jobs import Jobs
from pipeline.store.artifacts import Store
from tasks.local.service import LocalService
from tasks.settings import Settings
from tests.pipeline.engines.openai.speech_server import (
    Asked,
    SpeechServerInTests,
    answer,
    cut,
    error,
    speech_server,
)

KEY = "sk-secret-0123456789"
SCRIPT = "\n".join(
    f"{'Alice' if n % 2 else 'Bob'}: The tide had turned before we reached the quay, said number {n}. "
    "We tied the boat, we carried the nets up to the loft, and we counted what was left of the day."
    for n in range(6)
)


@dataclass(frozen=True, slots=True)
class Served:
    """A service, and the server that it asks."""

    settings: Settings
    app: Celery
    server: SpeechServerInTests

    def render(self, **options: object) -> dict[str, Any]:
        kwargs = {"script": SCRIPT, "voices": {}, "options": options}
        sent = self.app.send_task("voxchord.render", kwargs=kwargs, queue="voxchord")
        manifest: dict[str, Any] = sent.get(timeout=120)
        return manifest


@functools.cache
def model() -> hibari.Hibari:
    return hibari.Hibari()


def speaking(server: SpeechServerInTests, asked: Asked, connection: socket.socket) -> None:
    """Speak the words of a request."""
    with server.lock:
        samples = model()(asked.body["input"], seed=1)
    file = io.BytesIO()
    soundfile.write(file, samples, 24_000, format="WAV")
    answer(200, file.getvalue())(server, asked, connection)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Service with processes that are no forks, since a test examines their command lines."""
    with speech_server() as server:
        settings = Settings(
            state=tmp_path_factory.mktemp("service"),
            engine="openai",
            openai_url=server.url,
            openai_key=KEY,
            openai_voices="anna,bert",
            slots=3,
        )
        with (
            LocalService(settings, concurrency=1) as local,
            Celery("another-app", broker=local.broker_url, backend=local.broker_url) as app,
        ):
            yield Served(settings, app, server)


def test_a_job_survives_a_server_that_fails_on_the_way(served: Served) -> None:
    server = served.server
    server.always = speaking
    server.next.extend([error(503), cut, error(429, Retry_After="1"), answer(200, b"")])
    manifest = served.render(title="a play")
    assert manifest["state"] == "done"
    assert manifest["sample_rate_hz"] == 24_000
    assert manifest["duration_s"] > 20
    assert manifest["verify"]["takes_made"] == 0, manifest["verify"]
    assert len(server.speeches) == 6 + 4
    assert server.busy_max <= 3
    assert {each.headers["authorization"] for each in server.speeches} == {f"Bearer {KEY}"}
    assert {each.body["voice"] for each in server.speeches} == {"anna", "bert"}
    history = open_database(served.settings.history_url)
    assert {"voxchord.speaker", "voxchord.diffusion"} <= {
        row["task_name"] for row in costs(history, manifest["job"])
    }
    history.dispose()
    before = len(server.speeches)
    assert served.render(title="another title")["duration_s"] == manifest["duration_s"]
    assert len(server.speeches) == before, "its segments exist"


def test_a_refusal_fails_the_job_with_server_and_remedy(served: Served) -> None:
    served.server.always = error(401, "invalid_api_key")
    with pytest.raises(
        SegmentError, match=r"speech server 127\.0\.0\.1:\d+ answers 401 .*VOXCHORD_OPENAI_KEY"
    ):
        served.render(pace=1.5)


def test_the_key_is_in_no_file_of_the_service(served: Served) -> None:
    """Neither in the store, the history and the broker's disk, nor in logs and command lines."""
    files = [path for path in Path(served.settings.state).rglob("*") if path.is_file()]
    assert any(path.name.endswith(".log") for path in files), files
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []
    processes = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert "celery -A tasks.app worker" in processes
    assert KEY not in processes
    jobs = Jobs(Store(served.settings.store_url))
    assert all(KEY not in json.dumps(str(plan)) for plan in jobs.plans.open_jobs())
