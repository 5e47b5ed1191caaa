"""Tests of the commands on takes, with a running service."""

import json
from pathlib import Path

import pytest
import soundfile

from tests.cli.conftest import Run
from tests.cli.running import Running
from tests.takes import SETTING

WORDS = " ".join(f"w{n}" for n in range(24))


@pytest.fixture
def job(running: Running) -> str:
    """A finished job of a running service; its second take is in use."""
    options = {"engine": "takes"}
    kwargs = {"script": f"Anna: faults:noise {WORDS}", "voices": {}, "options": options}
    manifest = running.app.send_task("voxchord.render", kwargs=kwargs, queue="voxchord").get(timeout=60)
    job: str = manifest["job"]
    return job


def test_takes_are_listed_made_heard_and_picked(served: Run, job: str, tmp_path: Path) -> None:
    environment = {"VOXCHORD_ENGINE": "takes", "VOXCHORD_ENGINES": SETTING}
    listed = json.loads(served("takes", job, 0, "--json", **environment).stdout)
    assert [(row["take"], row["by"], row["used"]) for row in listed] == [
        (0, "verify", False),
        (1, "verify", True),
    ]
    assert listed[0]["findings"][0].startswith("noise")
    assert "noise" in served("takes", job, 0, **environment).stdout
    made = served("retake", job, 0, "--seed", 7, "--option", "wait_ms=2", "--json", **environment)
    assert json.loads(made.stdout)["take"] == 100, made.stderr
    heard = tmp_path / "take.wav"
    done = served("listen", job, 0, "--take", 100, "-o", heard, **environment)
    assert done.returncode == 0, done.stderr
    assert soundfile.info(heard).duration == pytest.approx(26 * 0.4, abs=0.5)
    picked = served("pick", job, 0, 100, "--json", **environment)
    assert json.loads(picked.stdout)["revision"] == 1, picked.stderr
    for more, revision in (((), 1), (("--revision", 0), 0)):
        fetched = served("fetch", job, "-o", tmp_path / "out.flac", "--json", *more, **environment)
        assert json.loads(fetched.stdout)["revision"] == revision, fetched.stderr
    for arguments in (("fetch", job, "-o", tmp_path / "out.flac", "--revision", 9), ("takes", job, 5)):
        assert served(*arguments, **environment).returncode == 3


@pytest.mark.slow
def test_a_new_version_is_compared_with_a_job_or_with_a_file(served: Run, job: str, tmp_path: Path) -> None:
    environment = {"VOXCHORD_ENGINE": "takes", "VOXCHORD_ENGINES": SETTING}
    old, new = tmp_path / "old.txt", tmp_path / "new.txt"
    old.write_text(f"Anna: faults:noise {WORDS}")
    new.write_text(f"Anna: faults:sound {WORDS}")
    same = served("diff", job[:9], old, **environment)
    assert "0 of 1 segments change" in same.stdout, same.stderr
    assert "nothing is to be made" in same.stdout
    for version in (job, old):
        found = json.loads(served("diff", version, new, "--json", **environment).stdout)
        assert [each["first_line"] for each in found["changed"]] == [1]
        assert found["audio_s"] == 10.0
    assert "1 of 1 segments change" in served("diff", job, new, **environment).stdout
    assert served("diff", "nothing", new, **environment).returncode == 3
