"""Tests of the service with the official client for Node, unchanged, installed by npm from its lock file."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bench.harness.http_service import HttpService
from bench.harness.recordings import recording
from bench.harness.waiting import until
from pipeline.streaming.encoders import MEDIA_TYPES
from tests.deploy import node
from tests.web.audio import decoded
from tests.web.history import state_of

HERE = Path(__file__).parent / "openai_node"
Found = dict[str, Any]
pytestmark = pytest.mark.http


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the program and of the files that it writes."""
    return node.installed(HERE, tmp_path_factory.mktemp("openai") / "program")


@pytest.fixture(scope="module")
def found(service_with_keys: HttpService, folder: Path) -> Found:
    """Findings of the program."""
    (folder / "voice.wav").write_bytes(recording(seconds=4))
    given = {
        "BASE_URL": f"{service_with_keys.url}/v1",
        "KEY": service_with_keys.key("node"),
        "LIMITED_KEY": service_with_keys.key("node.limited", "--requests-per-minute", "1"),
        "VOICE": str(folder / "voice.wav"),
        "FOLDER": str(folder),
    }
    done = node.run(folder, "client.mjs", **given)
    assert done.returncode == 0, done.stderr
    seen: Found = json.loads(done.stdout)
    return seen


def test_models_are_listed(found: Found) -> None:
    assert {"tts-1", "gpt-4o-mini-tts", "hibari"} <= set(found["models"]["listed"])
    assert found["models"]["one"]["id"] == "tts-1"


@pytest.mark.parametrize("name", list(MEDIA_TYPES))
def test_every_format_is_speech(found: Found, folder: Path, name: str) -> None:
    assert found["formats"][name].startswith(MEDIA_TYPES[name])
    sound = decoded((folder / f"speech.{name}").read_bytes(), name)
    assert 2 < sound.duration_s < 6
    assert sound.rms > 0.03


def test_a_body_is_streamed(found: Found) -> None:
    streamed = found["streamed"]
    assert streamed["parts"] > 5
    assert streamed["first_ms"] < streamed["whole_ms"] / 2


def test_events_are_those_of_the_convention(found: Found, folder: Path) -> None:
    events = found["events"]
    assert set(events["types"][:-1]) == {"speech.audio.delta"}
    assert events["types"][-1] == "speech.audio.done"
    assert events["usage"].keys() == {"input_tokens", "output_tokens", "total_tokens"}
    assert decoded((folder / "events.mp3").read_bytes(), "mp3").duration_s > 2


def test_all_fields_are_understood(found: Found) -> None:
    fields = found["fields"]
    assert fields["bytes"] > 24_000
    assert fields["ignored"] == "instructions"
    assert fields["request"], "the client reads the ID of the request"


def test_a_voice_is_created_used_and_deleted(found: Found) -> None:
    voices = found["voices"]
    shown = {"id": "nora", "name": "nora", "object": "audio.voice", "type": "audio_sample"}
    assert shown.items() <= voices["created"].items()
    assert voices["created"]["created_at"] > 0
    assert voices["bytes"] > 1000
    assert voices["deleted"] == {"id": "nora", "object": "audio.voice.deleted", "deleted": True}
    assert voices["again"]["kind"] == "NotFoundError"
    assert (voices["prompted"]["kind"], voices["prompted"]["param"]) == ("BadRequestError", "type")


def test_recordings_of_consent_are_managed(found: Found) -> None:
    consents = found["voiceConsents"]
    first, second = consents["made"]
    shown = {"name": "Nora", "language": "en-US", "object": "audio.voice_consent"}
    assert shown.items() <= first.items()
    assert consents["listed"] == [second["id"], first["id"]], "page by page"
    assert consents["one"] == first
    assert consents["renamed"] == {**first, "name": "Nora, in May"}
    assert consents["voice"]["id"] == "nora.recorded"
    assert (consents["unknown"]["status"], consents["unknown"]["param"]) == (400, "consent")
    assert consents["deleted"] == {"id": first["id"], "object": "audio.voice_consent", "deleted": True}
    assert consents["again"]["kind"] == "NotFoundError"


@pytest.mark.parametrize(
    ("name", "kind", "status", "param"),
    [
        ("voice", "BadRequestError", 400, "voice"),
        ("model", "BadRequestError", 400, "model"),
        ("field", "BadRequestError", 400, "verbose"),
        ("input", "BadRequestError", 400, "input"),
        ("key", "AuthenticationError", 401, None),
        ("unknown", "NotFoundError", 404, None),
        ("path", "NotFoundError", 404, None),
        ("quota", "RateLimitError", 429, None),
    ],
)
def test_errors_have_the_clients_classes(
    found: Found, name: str, kind: str, status: int, param: str | None
) -> None:
    error = found["errors"][name]
    assert (error["kind"], error["status"], error["param"]) == (kind, status, param)
    assert error["isApiError"]
    assert error["type"].endswith("_error")


def test_connections_time_out_and_fail_as_the_client_has_it(found: Found) -> None:
    assert found["errors"]["timeout"]["kind"] == "APIConnectionTimeoutError"
    assert found["errors"]["connection"]["kind"] == "APIConnectionError"


def test_an_aborted_request_is_a_cancelled_job(found: Found, service_with_keys: HttpService) -> None:
    assert found["aborts"]["early"]["kind"] == "APIUserAbortError"
    assert found["aborts"]["cut"] != "none"
    for task in (found["aborts"]["request"], found["brokenEvents"]):
        until(partial(is_cancelled, service_with_keys, task), timeout_s=30, every_s=0.1)


def is_cancelled(service: HttpService, task: str) -> bool:
    return state_of(service, task) == "CANCELLED"
