"""Tests of `handover`, and of what `doctor` says about its receivers."""

import json
from pathlib import Path

import pytest

from pipeline.books.reader import read
from pipeline.jobs.jobs import Jobs
from pipeline.store.artifacts import Store
from tests.books import audiobookshelf_server, samples
from tests.books.rendering import made
from tests.cli.conftest import Run


@pytest.fixture
def job(tmp_path: Path) -> str:
    """A finished book."""
    jobs = Jobs(Store(str(tmp_path / "state" / "store")))
    manifest, _ = made(jobs, read(samples.epub(2)), format="mp3", chapters="3")
    return str(manifest["job"])


def test_a_job_is_handed_over_to_all_receivers(ask: Run, job: str, tmp_path: Path) -> None:
    unnamed = ask("handover", job)
    assert unnamed.returncode == 3
    assert "VOXCHORD_LIBRARY" in unnamed.stderr
    unknown = ask("handover", job, "--revision", "7")
    assert unknown.returncode == 3
    assert f"job {job} has no finished revision 7" in unknown.stderr

    library = tmp_path / "library"
    library.mkdir()
    with audiobookshelf_server.running(tmp_path / "books") as server:
        settings = {
            "VOXCHORD_LIBRARY": str(library),
            "VOXCHORD_AUDIOBOOKSHELF_URL": server.url,
            "VOXCHORD_AUDIOBOOKSHELF_KEY": audiobookshelf_server.KEY,
        }
        server.faults = [500]
        failed = ask("handover", job[:6], **settings)
        assert failed.returncode == 4
        assert "answers 500 a fault" in failed.stderr
        assert "1 of 2 receivers did not take" in failed.stderr
        done = ask("handover", job[:6], **settings)
        assert done.returncode == 0, done.stderr
    place = Path(samples.AUTHOR, samples.SERIES, samples.TITLE)
    assert str(library / place) in done.stdout
    assert f"library Books: {place}" in done.stdout
    (placed,), (uploaded,) = ([*folder.rglob("*.mp3")] for folder in (library, server.folder))
    assert placed.read_bytes() == uploaded.read_bytes()
    assert done.stderr == ""


def test_doctor_checks_the_receivers(ask: Run, tmp_path: Path) -> None:
    def findings(**settings: str) -> dict[str, tuple[str, str]]:
        done = ask("doctor", "--json", **settings)
        assert audiobookshelf_server.KEY not in done.stdout + done.stderr
        return {each["what"]: (each["state"], each["detail"]) for each in json.loads(done.stdout)}

    assert findings()["hand-over"][0] == "off"
    library = tmp_path / "library"
    with audiobookshelf_server.running(tmp_path / "books") as server:
        settings = {
            "VOXCHORD_LIBRARY": str(library),
            "VOXCHORD_AUDIOBOOKSHELF_URL": server.url,
            "VOXCHORD_AUDIOBOOKSHELF_KEY": audiobookshelf_server.KEY,
        }
        found = findings(**settings)
        assert found["library"] == ("bad", f"{library}: no folder that can be written to")
        assert found["Audiobookshelf"] == ("ok", f"Books ({server.folder}); by the command `handover`")
        library.mkdir()
        found = findings(**settings, VOXCHORD_HANDOVER="books")
        assert found["library"] == ("ok", f"{library}; books by themselves")
    away = findings(**settings)["Audiobookshelf"]
    assert away == ("bad", f"{server.url.removeprefix('http://')}: ConnectError")
