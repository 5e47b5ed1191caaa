"""Tests of Flower's launch, protection and pages."""

import os
import signal
import stat
import subprocess
from pathlib import Path

import kombu.utils.json
import pytest
from celery import Celery
from celery.utils.saferepr import saferepr

from bench.harness import forked
from bench.harness.services import free_port
from bench.harness.waiting import until
from pipeline.errors import OptionError
from tasks.flower import launch
from tasks.privacy.results import RedactedResult
from tasks.settings import Settings
from tests.console import Console
from tests.tasks.flower.tasks_page import STAGES, listed
from tests.tools import slow, thorough


def test_password_file_is_private_and_stable(tmp_path: Path) -> None:
    path = launch.password_file(Settings(state=tmp_path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    user, _, password = path.read_text().partition(":")
    assert user == "voxchord"
    assert len(password) >= 24
    assert launch.password_file(Settings(state=tmp_path)).read_text() == f"{user}:{password}"
    chosen = Settings(state=tmp_path, flower_password="me:other")  # noqa: S106 - a test's own
    assert launch.password_file(chosen).read_text() == "me:other"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("word", ["word", "me:", ":word", "me:wo\nrd"])
def test_invalid_passwords_are_refused(tmp_path: Path, word: str) -> None:
    with pytest.raises(OptionError, match="user:password"):
        launch.password_file(Settings(state=tmp_path, flower_password=word))


@pytest.mark.parametrize(
    ("address", "extra", "reason"),
    [
        ("0.0.0.0", {}, "no password"),  # noqa: S104 - what is refused
        slow("", {}, "no password"),
        slow("::", {}, "no password"),
        ("127.0.0.1", {"FLOWER_UNAUTHENTICATED_API": "1"}, "anyone"),
        slow("127.0.0.1", {"FLOWER_UNAUTHENTICATED_API": "1", "FLOWER_BASIC_AUTH": "me:word"}, "anyone"),
    ],
)
def test_flower_refuses_to_start_without_protection(
    console: Console, address: str, extra: dict[str, str], reason: str, tmp_path: Path
) -> None:
    """Check any start: the configuration file refuses, not only our command."""
    command = launch.command(console.settings, free_port(), address=address)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("FLOWER_")}
    env = {**clean, "VOXCHORD_BROKER_URL": console.broker, **extra}
    said = tmp_path / "said"
    with said.open("wb") as file:
        flower = forked.start(command, env, file)
    assert flower.wait(60) != 0
    assert reason in said.read_text()


def test_our_command_keeps_the_api_closed(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWER_UNAUTHENTICATED_API", "true")
    assert "FLOWER_UNAUTHENTICATED_API" not in launch.environment(console.settings)
    assert console.credentials not in " ".join(launch.command(console.settings, 5555))


def job_of(console: Console, script: str) -> str:
    app = Celery(broker=console.broker, backend=console.broker)
    sent = app.send_task("voxchord.render", kwargs={"script": script}, queue="voxchord")
    job: str = sent.get(timeout=60)["job"]
    app.close()
    return job


def finished(console: Console, job: str) -> bool:
    """True if Flower knows that each stage of the job has ended."""
    rows = listed(console, job)
    return {row["stage"] for row in rows} >= {*STAGES} and all(row["state"] == "SUCCESS" for row in rows)


@pytest.fixture(scope="module")
def job(console: Console) -> str:
    """Job of several segments whose end Flower knows."""
    words = "The lamp in the window burned all night and nobody came home to it."
    made = job_of(console, "\n".join(f"{'AB'[n % 2]}: {n}. {words} {words}" for n in range(20)))
    until(lambda: finished(console, made))
    return made


def test_tasks_are_found_by_job_id_and_sorted_by_stage(console: Console, job: str) -> None:
    rows = listed(console, job)
    stages = [row["stage"] for row in rows]
    assert stages == sorted(stages, key=STAGES.index), "in the order of the flow"
    decoded = [row["segment"] for row in rows if row["stage"] == "diffusion"]
    assert decoded == sorted(decoded)
    assert all(row["job"] == job for row in rows)
    assert [row["stage"] for row in listed(console, job, descending=True)] == stages[::-1]
    assert listed(console, "lamp") == []


def test_numbers_are_sorted_by_value(console: Console, job: str) -> None:
    for column in ("segment", "audio_s", "speed"):
        found = [row[column] for row in listed(console, f"{job} diffusion", by=column)]
        assert len(found) > 2
        assert found == sorted(found)


def test_tasks_show_audio_and_speed(console: Console, job: str) -> None:
    manifest = console.ask(f"/voxchord/jobs/{job}").json
    decoded = listed(console, f"{job} diffusion", by="segment")
    assert [row["segment"] for row in decoded] == list(range(manifest["segments"]))
    for row in decoded:
        assert (row["voices"], row["device"], row["cache_hit"], row["error"]) == (2, "cpu", False, None)
        assert row["speed"] == pytest.approx(row["audio_s"] / row["runtime"], rel=0.5)
    stitches = listed(console, f"{job} stitch")
    (joined,) = (row for row in stitches if not row["cache_hit"])
    assert len(stitches) == 2, "one joins, and one answers the root"
    assert joined["audio_s"] == pytest.approx(manifest["duration_s"], abs=0.01)
    assert sum(row["audio_s"] for row in decoded) == pytest.approx(manifest["duration_s"], rel=0.2)


def test_workers_show_queues_and_device(console: Console) -> None:
    workers = {row["hostname"].split("@")[0]: row for row in console.ask("/workers?json=1").json["data"]}
    assert workers["intake"]["queues"] == "voxchord"
    assert (
        workers["work"]["queues"]
        == "cpu.semantic, cpu.stitch, cpu.text, cpu.verify, gpu.diffusion, gpu.speaker"
    )
    assert (workers["intake"]["device"], workers["work"]["device"]) == ("cpu", "cpu")


def test_events_carry_job_and_segment(console: Console, job: str) -> None:
    ours = [event for event in console.events if event.get("voxchord_job") == job]
    for kind in ("task-received", "task-started", "task-succeeded"):
        events = [event for event in ours if event["type"] == kind]
        segments = [event["voxchord_segment"] for event in events if "voxchord_segment" in event]
        assert len(segments) == 5 * len(set(segments)), kind
        assert len(events) == len(segments) + 2, (
            "neither the stitch that joins nor the one that answers has one"
        )


def test_messages_of_release_0_1_0_have_job_and_segment_in_their_arguments(console: Console) -> None:
    ref = {"job": 20 * "7", "segment": 7, "ok": False}
    with Celery(broker=console.broker) as app:
        sent = app.send_task("voxchord.diffusion", args=[ref], queue="gpu.diffusion", kwargsrepr="anything")
    (row,) = until(lambda: [row for row in listed(console, sent.id) if row["state"] == "SUCCESS"])
    assert (row["job"], row["segment"]) == (ref["job"], ref["segment"])


def test_results_are_shown_as_figures_and_sent_unchanged() -> None:
    result = {"job": "3f9a", "segment": 4, "ok": True}
    redacted = RedactedResult(result, {"voices": 2})
    assert kombu.utils.json.dumps(redacted) == kombu.utils.json.dumps(result)
    assert saferepr(redacted) == "{'voices': 2}"


def test_foreign_events_are_not_trusted(console: Console) -> None:
    """Check with events from another client of the broker."""
    app = Celery(broker=console.broker)
    sent = ["{'audio_s': 1e999, 'speed': 'quick'}", "{'voices': [1], 'device': {}}", "{'audio_s':", "{[]: 1}"]
    with app.connection_for_write() as connection, app.events.Dispatcher(connection, "other@host") as events:
        for number, text in enumerate(sent):
            about = {"uuid": f"foreign-{number}", "voxchord_job": "../x", "voxchord_segment": 1}
            events.send("task-received", name="foreign.task", args="()", kwargs="job ../x", **about)
            events.send("task-succeeded", result=text, runtime=0.1, **about)
    app.close()
    until(lambda: len(listed(console, "state:SUCCESS foreign.task")) == len(sent))
    for row in listed(console, "foreign.task"):
        assert row["stage"] == "foreign.task"
        assert [row[column] for column in ("job", "segment", "voices", "audio_s", "speed", "device")] == [
            None
        ] * 6


def assert_dead_workers_are_removed(console: Console) -> None:
    """Send the first heartbeat of a worker that then says nothing, and wait until no page shows it."""

    def shown() -> bool:
        rows = console.ask("/workers?json=1").json["data"]
        return "killed@host" in {row["hostname"] for row in rows}

    app = Celery(broker=console.broker)
    with app.connection_for_write() as connection, app.events.Dispatcher(connection, "killed@host") as events:
        events.send("worker-online", freq=1.0)
    app.close()
    until(shown)
    until(lambda: not shown())
    assert b"killed@host" not in console.ask("/metrics").body


@thorough
def test_flower_keeps_its_state_behind_a_prefix_and_after_restarts(console: Console, tmp_path: Path) -> None:
    settings = Settings(state=tmp_path, store=console.settings.store_url, broker_url=console.broker)
    port = free_port()
    command = launch.command(settings, port, url_prefix="/console/", read_only=True)
    command.append("--purge_offline_workers=1")
    nowhere = tmp_path / "none.db"
    env = {**launch.environment(settings), "VOXCHORD_STORE": settings.store}
    env["VOXCHORD_DATABASE_URL"] = f"sqlite:///{nowhere}"
    other = Console(
        settings,
        f"http://127.0.0.1:{port}/console",
        launch.password(Path(env[launch.PASSWORD_FILE])),
        console.broker,
        metrics_port=0,
        flower=None,
    )

    def answers() -> bool:
        try:
            return other.ask("/healthcheck").status == 200
        except OSError:
            return False

    def started() -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            command, cwd=launch.CONFIG.parent.parent, env=env, stderr=subprocess.DEVNULL
        )
        until(answers)
        return process

    first = started()
    job = job_of(console, "Alice: The ferry was late.\nBob: It is always late.")
    until(lambda: listed(other, job))
    assert other.ask(f"/voxchord/jobs/{job}").json["state"] == "done"
    assert other.ask("/voxchord/voices/late", b"x", method="PUT").status == 403, "read-only"
    assert other.ask(f"/voxchord/jobs/{'0' * 20}/cancel", b"", method="POST").status == 403
    assert other.ask(f"/voxchord/jobs/{'0' * 20}/retry", b"", method="POST").status == 403
    assert other.ask("/api/task/send-task/voxchord.render", {"kwargs": {}}).status == 403
    assert other.ask(f"/voxchord/jobs/{job}/report").json == {"error": "no history yet"}
    assert not nowhere.exists(), "it only reads"
    assert_dead_workers_are_removed(other)
    first.send_signal(signal.SIGTERM)
    first.wait(30)
    saved = list(tmp_path.glob("flower.db*"))
    assert saved
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in saved), (
        "pickled: nobody else may write it"
    )
    env["VOXCHORD_DATABASE_URL"] = "postgresql://me:secret@127.0.0.1:1/gone"
    second = started()
    away = other.ask(f"/voxchord/jobs/{job}/report")
    assert (away.status, away.json) == (503, {"error": "the history does not answer"})
    assert listed(other, job), "from before"
    second.send_signal(signal.SIGTERM)
    second.wait(30)
