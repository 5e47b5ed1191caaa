"""Tests of Flower routes for voices, manifests, audio and subtitles."""

import hashlib
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from celery import Celery

from bench.harness.recordings import recording, speech, wav
from pipeline.jobs.intake import refused_id
from tests.console import Console

SCRIPT = "Alice: The heron stood in the weir.\nBob: It stood there for the whole of an hour."


@pytest.fixture(scope="module")
def manifest(console: Console) -> dict[str, Any]:
    app = Celery(broker=console.broker, backend=console.broker)
    kwargs = {"script": SCRIPT, "options": {"format": "flac"}}
    found: dict[str, Any] = app.send_task("voxchord.render", kwargs=kwargs, queue="voxchord").get(timeout=60)
    app.close()
    return found


def test_manifest_audio_and_subtitles_are_served(console: Console, manifest: dict[str, Any]) -> None:
    job = f"/voxchord/jobs/{manifest['job']}"
    assert console.ask(job).json == manifest
    audio = console.ask(f"{job}/audio")
    assert (audio.status, audio.headers["Content-Type"]) == (200, "audio/flac")
    assert hashlib.sha256(audio.body).hexdigest() == manifest["audio"]["sha256"]
    assert "heron" in console.ask(f"{job}/subtitles").body.decode()
    assert console.ask(f"{job}/subtitles?format=vtt").body.startswith(b"WEBVTT")
    assert console.ask(f"{job}/subtitles?format=ass").status == 400
    head = console.ask(f"{job}/audio", method="HEAD")
    assert (head.body, int(head.headers["Content-Length"])) == (b"", manifest["audio"]["bytes"])


@pytest.mark.parametrize("asked", ["0-99", "100-", "-50", "5-5", "10-999999999"])
def test_ranges_are_served(console: Console, manifest: dict[str, Any], asked: str) -> None:
    path = f"/voxchord/jobs/{manifest['job']}/audio"
    whole = console.ask(path).body
    part = console.ask(path, headers={"Range": f"bytes={asked}"})
    first, _, last = asked.partition("-")
    expected = whole[int(first) : int(last) + 1 if last else None] if first else whole[-int(last) :]
    assert (part.status, part.body) == (206, expected)
    start = len(whole) - int(last) if not first else int(first)
    assert part.headers["Content-Range"] == f"bytes {start}-{start + len(expected) - 1}/{len(whole)}"


def test_invalid_ranges_are_refused(console: Console, manifest: dict[str, Any]) -> None:
    path = f"/voxchord/jobs/{manifest['job']}/audio"
    outside = console.ask(path, headers={"Range": "bytes=999999999-"})
    assert (outside.status, outside.headers["Content-Range"]) == (
        416,
        f"bytes */{manifest['audio']['bytes']}",
    )
    assert console.ask(path, headers={"Range": "bytes=0-1,5-6"}).status == 200
    assert console.ask(path, headers={"Range": f"bytes={'9' * 5000}-"}).status == 416
    assert console.ask(path, headers={"Range": f"bytes=0-{'9' * 5000}"}).status == 206


def test_files_that_a_client_has_are_not_sent_again(console: Console, manifest: dict[str, Any]) -> None:
    path, tag = f"/voxchord/jobs/{manifest['job']}/audio", f'"{manifest["audio"]["sha256"]}"'
    assert console.ask(path, method="HEAD").headers["Etag"] == tag
    known = console.ask(path, headers={"If-None-Match": tag})
    assert (known.status, known.body) == (304, b"")
    part = {"Range": "bytes=10-19"}
    assert console.ask(path, headers={**part, "If-Range": tag}).status == 206
    other = console.ask(path, headers={**part, "If-Range": '"other"'})
    assert (other.status, len(other.body)) == (200, manifest["audio"]["bytes"])


def test_uploads_are_never_read_as_forms(console: Console) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert console.ask("/voxchord/voices/formed", recording(), method="PUT", headers=form).status == 201


def test_voices_are_registered_by_put(console: Console) -> None:
    put = console.ask("/voxchord/voices/ferryman", recording(), method="PUT")
    assert (put.status, put.json["voice"], len(put.json["hash"])) == (201, "ferryman", 64)
    again = console.ask("/voxchord/voices/ferryman", recording(), method="PUT")
    assert again.json["hash"] == put.json["hash"]
    assert put.json["notices"] == []
    shifted = wav(speech() * np.float32(0.5) + np.float32(0.2))
    noticed = console.ask("/voxchord/voices/ferryman", shifted, method="PUT")
    assert noticed.json["notices"] == ["a constant offset was removed"]


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("ferryman", lambda: b"not audio", "not audio"),
        ("ferryman", lambda: recording(seconds=0.2), "shorter"),
        ("ferryman", lambda: wav(np.sin(np.arange(48_000) / 9).astype(np.float32)), "is not speech"),
        ("..%2Fferryman", recording, "names have"),
        ("%25s", recording, "names have"),
        ("wren", recording, "an engine has a preset of that name"),
    ],
)
def test_unusable_voices_are_refused(
    console: Console, name: str, data: Callable[[], bytes], reason: str
) -> None:
    refused = console.ask(f"/voxchord/voices/{name}", data(), method="PUT")
    assert refused.status == 422
    assert reason in refused.json["error"]


def test_requests_without_password_are_refused(console: Console, manifest: dict[str, Any]) -> None:
    job = f"/voxchord/jobs/{manifest['job']}"
    for path in (job, f"{job}/audio", f"{job}/subtitles"):
        assert console.ask(path, credentials="").status == 401
    assert console.ask("/voxchord/voices/thief", recording(), method="PUT", credentials="").status == 401
    assert console.ask("/voxchord/voices/thief", recording(), method="PUT", credentials="a:b").status == 401


def test_missing_jobs_are_not_found(console: Console) -> None:
    for path in ("0" * 20, "0" * 20 + "/audio", "0" * 20 + "/subtitles", "..%2f..%2fplan", "x/audio"):
        assert console.ask(f"/voxchord/jobs/{path}").status == 404


def test_voices_that_are_too_large_are_refused(console: Console) -> None:
    assert console.ask("/voxchord/voices/book", bytes(65 << 20), method="PUT").status == 413


def test_curl_renders_a_job(console: Console, tmp_path: Path) -> None:
    def curl(*arguments: str) -> bytes:
        config = f'user = "{console.credentials}"\nsilent\nfail\n'
        command = ["curl", "--config", "-", *arguments]
        return subprocess.run(
            command, input=config.encode(), capture_output=True, check=True, timeout=90
        ).stdout

    (tmp_path / "voice.wav").write_bytes(recording())
    curl("--upload-file", str(tmp_path / "voice.wav"), f"{console.url}/voxchord/voices/boatman")
    kwargs = {"script": SCRIPT, "voices": {"Alice": "boatman"}, "options": {"format": "mp3"}}
    (tmp_path / "job.json").write_text(json.dumps({"queue": "voxchord", "kwargs": kwargs}))
    body = f"@{tmp_path / 'job.json'}"
    sent = json.loads(curl("--data", body, f"{console.url}/api/task/send-task/voxchord.render"))
    done = json.loads(curl(f"{console.url}/api/task/result/{sent['task-id']}?timeout=60"))
    audio = curl(f"{console.url}/voxchord/jobs/{done['result']['job']}/audio")
    assert hashlib.sha256(audio).hexdigest() == done["result"]["audio"]["sha256"]


def test_refused_requests_from_flower_are_failed_jobs(console: Console) -> None:
    body = json.dumps({"queue": "voxchord", "kwargs": {"script": SCRIPT, "voices": {"Bob": "nobody"}}})
    sent = console.ask("/api/task/send-task/voxchord.render", body.encode(), method="POST").json
    console.ask(f"/api/task/result/{sent['task-id']}?timeout=60")
    refused = console.ask(f"/voxchord/jobs/{refused_id(sent['task-id'])}").json
    assert refused["state"] == "failed"
    assert "voice 'nobody': unknown" in refused["error"]
