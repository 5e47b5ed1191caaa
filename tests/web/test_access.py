"""Tests of keys, quotas and the isolation of clients, on a real service."""

import io
import json
import sqlite3
from contextlib import closing

import numpy as np
import pytest
import soundfile

from bench.harness.http_service import HttpService, bearer
from bench.harness.recordings import recording
from bench.harness.waiting import until
from tasks.flower.request_guard import BODY_BYTES_MAX
from tests.web.multipart import form

TEXT = "The harbour was quiet that morning, and nobody saw the boat leave."
pytestmark = pytest.mark.http


def upload(service: HttpService, key: str, name: str, **fields: str | bytes) -> tuple[int, dict[str, object]]:
    given: dict[str, str | bytes] = {
        "name": name,
        "audio_sample": recording(seconds=4),
        "consent": "cons_1",
        **fields,
    }
    body, kind = form(**given)
    found = service.ask("POST", "/v1/audio/voices", body, **bearer(key), Content_Type=kind)
    return found.status, found.json


def voices(service: HttpService, key: str) -> set[str]:
    found = service.ask("GET", "/v1/audio/voices", **bearer(key)).json["voices"]
    assert all({"id", "name"} <= set(voice) for voice in found)
    return {voice["id"] for voice in found}


def test_without_a_valid_key_nothing_is_answered(keyed: HttpService) -> None:
    import openai

    key = keyed.key("visitor")
    for headers in ({}, bearer("vx-wrong"), bearer(""), {"Authorization": "Basic eDp5"}):
        refused = keyed.ask("POST", "/v1/audio/speech", {"input": TEXT}, **headers)
        assert (refused.status, refused.error["type"]) == (401, "authentication_error")
        assert refused.headers["www-authenticate"] == "Bearer"
    with (
        openai.OpenAI(base_url=f"{keyed.url}/v1", api_key="vx-wrong", max_retries=0) as client,
        pytest.raises(openai.AuthenticationError),
    ):
        client.models.list()
    assert keyed.speak(TEXT, key=key).status == 200
    assert keyed.ask("GET", "/health").status == 200
    assert keyed.command("keys", "revoke", keyed.client("visitor")).returncode == 0
    until(lambda: keyed.speak(TEXT, key=key).status == 401, timeout_s=10, every_s=0.5)


@pytest.mark.parametrize("path", ["/v1/audio/speech", "/v1/audio/voices", "/v1/audio/jobs/upload"])
def test_no_body_is_read_without_a_valid_key(keyed: HttpService, path: str) -> None:
    with closing(keyed.connection(timeout_s=20)) as connection:
        connection.putrequest("POST", path)
        for name, value in {**bearer("vx-wrong"), "Content-Length": str(BODY_BYTES_MAX)}.items():
            connection.putheader(name, value)
        connection.endheaders()
        with connection.getresponse() as response:
            assert (response.status, json.loads(response.read())["error"]["code"]) == (401, "invalid_api_key")


def test_quotas_are_answered_with_the_time_to_wait(keyed: HttpService) -> None:
    minute = keyed.key("minute", "--requests-per-minute", "2")
    assert [keyed.speak(TEXT, key=minute).status for _ in range(3)] == [200, 200, 429]
    refused = keyed.speak(TEXT, key=minute)
    assert (refused.error["type"], refused.error["code"]) == ("rate_limit_error", "requests_per_minute")
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    day = keyed.key("day", "--characters-per-day", str(len(TEXT) + 1))
    assert [keyed.speak(TEXT, key=day).status for _ in range(2)] == [200, 429]


def test_jobs_at_once_count_until_their_stream_ends(keyed: HttpService) -> None:
    key = keyed.key("one", "--jobs-at-once", "1")
    connection = keyed.connection()
    body = json.dumps({"input": TEXT * 200, "voice": "wren", "response_format": "pcm"})
    connection.request("POST", "/v1/audio/speech", body, {**keyed.base, **bearer(key)})
    response = connection.getresponse()
    response.read(100)
    assert keyed.speak(TEXT, key=key).error["code"] == "jobs_at_once"
    response.close()
    connection.close()
    until(lambda: keyed.speak(TEXT, key=key).status == 200, timeout_s=20, every_s=0.5)


def test_a_client_has_voices_of_its_own(keyed: HttpService) -> None:
    ann, ben = keyed.key("ann"), keyed.key("ben")
    assert upload(keyed, ann, "mine")[0] == 201
    assert "mine" in voices(keyed, ann)
    assert "mine" not in voices(keyed, ben)
    assert keyed.speak(TEXT, key=ann, voice="mine").status == 200
    refused = keyed.speak(TEXT, key=ben, voice="mine")
    assert (refused.status, refused.error["param"]) == (400, "voice")
    stored = [name for name in listed(keyed) if name.endswith(".mine")]
    assert keyed.speak(TEXT, key=ben, voice=stored[0]).status == 400
    unknown = keyed.speak(TEXT, key=ben, voice="nobody")
    assert "available: presets" in unknown.error["message"]
    assert "mine" not in unknown.error["message"]
    for name in ("mine", stored[0]):
        assert keyed.ask("DELETE", f"/v1/audio/voices/{name}", **bearer(ben)).status == 404
    assert keyed.ask("DELETE", "/v1/audio/voices/mine", **bearer(ann)).json["deleted"]
    assert "mine" not in voices(keyed, ann)
    assert keyed.speak(TEXT, key=ann, voice="mine").status == 400


def listed(service: HttpService) -> list[str]:
    rows = json.loads(service.command("voices", "list", "--json").stdout)
    return [row["name"] for row in rows]


def test_uploads_are_checked(keyed: HttpService) -> None:
    key = keyed.key("uploader")
    assert upload(keyed, key, "../../etc/passwd")[0] == 400
    assert upload(keyed, key, "wren")[0] == 400
    assert upload(keyed, key, "noise", audio_sample=b"RIFF" + bytes(100))[0] == 400
    assert upload(keyed, key, "alone", consent=" ")[0] == 400
    silent = io.BytesIO()
    soundfile.write(silent, np.zeros(48_000), 24_000, format="WAV")
    assert upload(keyed, key, "silent", audio_sample=silent.getvalue())[0] == 400
    body, kind = form(name="x", consent="y")
    missing = keyed.ask("POST", "/v1/audio/voices", body, **bearer(key), Content_Type=kind)
    assert missing.error["param"] == "audio_sample"


def test_the_history_says_what_each_client_cost(keyed: HttpService) -> None:
    key, client = keyed.key("costly"), keyed.client("costly")
    text = f"{TEXT} Nobody else says this."
    assert keyed.speak(text, key=key).status == 200

    def row() -> dict[str, object] | None:
        rows = json.loads(keyed.command("stats", "clients", "--json").stdout)
        return next((row for row in rows if row["client"] == client and row["audio_s"]), None)

    found = until(row, timeout_s=30, every_s=1) or {}
    assert found["requests"] == 1
    assert found["chars_in"] == len(text)
    assert found["cpu_s"] > 0  # type: ignore[operator]  # a number

    def labels() -> list[dict[str, str]]:
        with closing(sqlite3.connect(keyed.settings.state / "history.db")) as history:
            rows = history.execute("SELECT labels FROM job WHERE labels IS NOT NULL").fetchall()
        return [json.loads(row[0]) for row in rows]

    until(lambda: {"client": client} in labels())
