"""Tests of `bundle`: what explains a job, and nothing private."""

import json
import tarfile
from pathlib import Path

import pytest

from bench.harness.waiting import until
from cli.job_ids import find_job
from db.database import open_database
from db.queries.jobs import get_job
from pipeline.jobs.jobs import Jobs
from pipeline.store.artifacts import Store
from tests.cli.conftest import Run
from tests.cli.running import Running

SCRIPT = "Marguerite: The velvet curtains murmur.\nOswald: A thimbleful of velvet faulty thunder."
WORDS = ("velvet", "curtains", "murmur", "thimbleful", "thunder", "marguerite", "oswald", "nocturne")
PASSWORDS = ("hunter2", "Tr0ub4dor", "sesame", "swordfish", "correcthorse")


def texts(path: Path) -> dict[str, str]:
    with tarfile.open(path) as archive:
        files = {entry.name: archive.extractfile(entry) for entry in archive.getmembers()}
        return {name.removeprefix("bundle/"): file.read().decode() for name, file in files.items() if file}


def test_bundles_explain_a_job_without_its_words(served: Run, running: Running, tmp_path: Path) -> None:
    environment = {
        "VOXCHORD_FLOWER_PASSWORD": "me:Tr0ub4dor",
        "VOXCHORD_NOTIFY": "http://127.0.0.1:1/hook?key=sesame",
        "VOXCHORD_RESULT_URL": "redis://:hunter2@127.0.0.1:1/0",
        "VOXCHORD_AUDIOBOOKSHELF_URL": "http://me:correcthorse@127.0.0.1:1",
        "VOXCHORD_AUDIOBOOKSHELF_KEY": "swordfish",
    }
    kwargs = {"script": SCRIPT, "options": {"title": "Nocturne", "engine": "mischief"}}
    result = running.app.send_task("voxchord.render", kwargs=kwargs, queue="voxchord")
    with pytest.raises(Exception, match="segment"):
        result.get(timeout=60)
    job = find_job(Jobs(Store(running.settings.store_url)), str(result.id))
    history = open_database(running.settings.history_url)
    until(lambda: (get_job(history, job) or {}).get("state") == "FAILED")
    history.dispose()
    with (running.settings.state / "logs" / "work.log").open("a") as log:
        log.write("connected to redis://:hunter2@127.0.0.1:1/0 for Marguerite\n")
        log.write("POST http://me:correcthorse@127.0.0.1:1/api/upload, Bearer swordfish\n")
    out = tmp_path / "bundle.tar.gz"
    done = served("bundle", job[:8], "-o", out, **environment)
    assert done.returncode == 0, done.stderr
    found = texts(out)
    assert {"plan.json", "state.json", "settings.json", "versions.json", "history/task_run.json"} <= set(
        found
    )
    assert any(name.startswith("logs/") for name in found)
    assert json.loads(found["plan.json"])["pages"][0]["key"]
    assert "unexpected ValueError" in json.loads(found["state.json"])["failure"]
    assert json.loads(found["history/task_run.json"])
    assert json.loads(found["settings.json"])["VOXCHORD_RESULT_URL"] == "redis://:***@127.0.0.1:1/0"
    for name, text in found.items():
        leaks = [word for word in (*WORDS, *PASSWORDS) if word.lower() in text.lower()]
        assert leaks == [], name
