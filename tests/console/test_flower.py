"""The console: who may reach it."""

import os
import signal
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
from celery import Celery

from pipeline.errors import OptionError
from tasks import flower
from tasks.settings import Settings
from tests.console.conftest import Console, free_port, thorough, until


def test_the_password_file_is_its_owners_alone_and_stays_the_same(tmp_path: Path) -> None:
    path = flower.password_file(Settings(state=tmp_path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    user, _, password = path.read_text().partition(":")
    assert user == "voxchord"
    assert len(password) >= 24
    assert flower.password_file(Settings(state=tmp_path)).read_text() == f"{user}:{password}"
    chosen = Settings(state=tmp_path, flower_password="me:other")  # noqa: S106 - a test's own
    assert flower.password_file(chosen).read_text() == "me:other"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("word", ["word", "me:", ":word"])
def test_a_password_that_is_none_is_refused(tmp_path: Path, word: str) -> None:
    with pytest.raises(OptionError, match="user:password"):
        flower.password_file(Settings(state=tmp_path, flower_password=word))


@pytest.mark.parametrize(
    ("address", "extra", "reason"),
    [
        ("0.0.0.0", {}, "no password"),  # noqa: S104 - what is refused
        ("", {}, "no password"),
        ("::", {}, "no password"),
        ("127.0.0.1", {"FLOWER_UNAUTHENTICATED_API": "1"}, "anybody"),
        ("127.0.0.1", {"FLOWER_UNAUTHENTICATED_API": "1", "FLOWER_BASIC_AUTH": "me:word"}, "anybody"),
    ],
)
def test_flower_itself_does_not_start_where_others_could_get_in(
    console: Console, address: str, extra: dict[str, str], reason: str
) -> None:
    """However it is started: the configuration file refuses, not only our command."""
    command = flower.command(console.settings, free_port(), address=address)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("FLOWER_")}
    env = {**clean, "VOXCHORD_BROKER_URL": console.broker, **extra}
    done = subprocess.run(
        command,
        cwd=flower.CONFIG.parent.parent,
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert reason in done.stderr


def test_our_command_never_opens_the_api(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWER_UNAUTHENTICATED_API", "true")
    assert "FLOWER_UNAUTHENTICATED_API" not in flower.environment(console.settings)
    assert console.credentials not in " ".join(flower.command(console.settings, 5555))


def job_of(console: Console, script: str) -> str:
    app = Celery(broker=console.broker, backend=console.broker)
    sent = app.send_task("voxchord.render", kwargs={"script": script}, queue="voxchord")
    job: str = sent.get(timeout=60)["job"]
    app.close()
    return job


def listed(console: Console, search: str, prefix: str = "") -> list[dict[str, Any]]:
    """What the table of the tasks page shows for a search, by name."""
    query = f"draw=1&start=0&length=100&search[value]={search}&order[0][column]=0&columns[0][data]=name"
    found: list[dict[str, Any]] = console.ask(f"{prefix}/tasks/datatable?{query}").json["data"]
    return found


def test_a_jobs_tasks_are_found_by_its_id(console: Console) -> None:
    job = job_of(console, "Alice: A lamp in the window.\nBob: And nobody home.")
    stages = {f"voxchord.{name}" for name in ("text", "semantic", "speaker", "diffusion", "stitch")}
    until(lambda: {task["name"] for task in listed(console, job)} >= stages)
    assert all(task["kwargs"].startswith(f"job {job}") for task in listed(console, job))
    assert listed(console, "lamp") == []
    assert "Job and segment" in console.ask("/tasks").body.decode()


@thorough
def test_below_a_prefix_and_after_a_restart_it_knows_what_it_knew(console: Console, tmp_path: Path) -> None:
    settings = Settings(state=tmp_path, store=console.settings.store_url, broker_url=console.broker)
    port = free_port()
    command = flower.command(settings, port, url_prefix="/console/", read_only=True)
    env = {**flower.environment(settings), "VOXCHORD_STORE": settings.store}
    other = Console(settings, f"http://127.0.0.1:{port}/console", env["FLOWER_BASIC_AUTH"], console.broker, 0)

    def answers() -> bool:
        try:
            return other.ask("/healthcheck").status == 200
        except OSError:
            return False

    def started() -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            command, cwd=flower.CONFIG.parent.parent, env=env, stderr=subprocess.DEVNULL
        )
        until(answers)
        return process

    first = started()
    job = job_of(console, "Alice: The ferry was late.\nBob: It is always late.")
    until(lambda: listed(other, job))
    assert other.ask(f"/voxchord/jobs/{job}").json["state"] == "done"
    assert other.ask("/voxchord/voices/late", b"x", method="PUT").status == 403, "read-only"
    assert other.ask("/api/task/send-task/voxchord.render", {"kwargs": {}}).status == 403
    first.send_signal(signal.SIGTERM)
    first.wait(30)
    saved = list(tmp_path.glob("flower.db*"))
    assert saved
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in saved), (
        "pickled: nobody else may write it"
    )
    second = started()
    assert listed(other, job), "from before"
    second.send_signal(signal.SIGTERM)
    second.wait(30)
