"""The lines of docs/http.md, run as they are written against a running service."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from bench.harness.http_service import HttpService
from tests.markdown import ROOT

PAGE = (ROOT / "docs" / "http.md").read_text()


def lines_of(section: str) -> str:
    """Shell lines of a section of the page."""
    found = re.search(rf"^## {section}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found, section
    return "\n".join(re.findall(r"```sh\n(.*?)```", found[1], re.DOTALL))


@pytest.mark.http
def test_the_lines_about_long_jobs_run_as_written(keyed: HttpService, tmp_path: Path) -> None:
    assert shutil.which("curl"), "the page's lines need curl"
    (tmp_path / "book.txt").write_text("A book of one line. It has a second sentence.")
    lines = lines_of("Long jobs")
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
