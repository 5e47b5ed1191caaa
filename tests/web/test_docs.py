"""The lines of docs/http.md, run as they are written."""

import re
import subprocess
from pathlib import Path

import pytest

from bench.harness.http_service import HttpService
from bench.harness.recordings import recording
from tests.markdown import ROOT, Page
from tests.web.audio import decoded

PAGE = Page(ROOT / "docs" / "http.md")


@pytest.mark.http
def test_the_lines_of_curl_work(service: HttpService, tmp_path: Path) -> None:
    blocks = [block for block in PAGE.code("sh") if "$base" in block]
    program = "set -eu\n" + "\n".join(blocks)
    (tmp_path / "nora.wav").write_bytes(recording(seconds=4))
    assert "base=http://127.0.0.1:8600/v1" in program
    program = program.replace("base=http://127.0.0.1:8600/v1", f"base={service.url}/v1")
    done = subprocess.run(
        ["bash", "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout[-500:] + done.stderr
    assert decoded((tmp_path / "hello.mp3").read_bytes(), "mp3").duration_s > 1
    assert decoded((tmp_path / "play.opus").read_bytes(), "opus").duration_s > 1
    assert "event: speech.audio.done" in done.stdout
    assert '"id":"wren","name":"wren"' in done.stdout
    assert '"deleted":true' in done.stdout


@pytest.mark.http
def test_the_lines_about_long_jobs_run_as_written(keyed: HttpService, tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_text("A book of one line. It has a second sentence.")
    (lines,) = [block for block in PAGE.code("sh") if "$jobs" in block]
    assert lines.count("\nj ") > 10
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", lines.replace("http://127.0.0.1:8600", keyed.url)],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "KEY": keyed.key("reader")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    assert '"type":"audio.job.completed"' in done.stdout
    assert (tmp_path / "play.vtt").read_text().startswith("WEBVTT")
    assert (tmp_path / "play.mp3").stat().st_size > 1000
    assert (tmp_path / "take.wav").read_bytes().startswith(b"RIFF")
    assert '"revision":1' in done.stdout


def test_every_field_and_status_is_on_the_page(service: HttpService) -> None:
    described = service.ask("GET", "/openapi.json").json
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", PAGE.text, re.MULTILINE)
    shown = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert described["components"]["schemas"]["SpeechRequest"]["properties"].keys() <= shown
    operations = [each for path in described["paths"].values() for each in path.values()]
    statuses = {status for each in operations for status in each["responses"] if int(status) >= 400}
    assert statuses <= set(re.findall(r"\b([45]\d\d)\b", PAGE.text))
    assert "422" not in statuses
