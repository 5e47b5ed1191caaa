"""Tests of the ten measured holes of Celery 5.7 on Redis, each closed.

| hole | closed by | shown by |
|---|---|---|
| 1 a death between a chord's part and SUCCESS hangs it | the part is counted first | `…part_and_success…` |
| 2 deduplication hangs a chord | it is off | `test_celery_settings…` |
| 3 a step that ends while Redis is unreachable fails the job | it is retried | bench.faults |
| 4 a lost connection cancels running tasks and loses them | cancelling is off | `test_celery_settings…` |
| 5 a solo pool fails its task at a cold stop | thread pools, which requeue | `…stopped_thread_pools…` |
| 6 revoking inside a chord hangs it | cancelling is a flag and an answer | `test_cancelling…` |
| 7 a redelivered root runs everything twice | a guard in the store | `test_repeated_messages…` |
| 8 a message of a killed worker is lost | one step; reconciler | `…is_recorded…`, `…lost_its_memory` |
| 9 celery-batches does not support chords | it is not used | `test_celery_settings…` |
| 10 embedded servers with known holes | Valkey 9 | `test_celery_settings…` |
"""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import pytest

from bench.harness.fleet import Fleet
from bench.harness.waiting import until
from pipeline.jobs.artifacts import stage_name
from tasks.make_app import make_app
from tasks.orchestration.roots import FLAGS
from tasks.settings import Settings
from tests.faults.conftest import SETTINGS, STAGES, TIMEOUT_S
from tests.faults.fleet_jobs import LIMIT_S, decodes, done, failed, queued
from tests.faults.scripts import script


def test_celery_settings_that_close_holes_are_set(fleet: Fleet) -> None:
    conf = make_app(Settings(), fleet.url).conf
    assert conf.worker_deduplicate_successful_tasks is False
    assert conf.worker_cancel_long_running_tasks_on_connection_loss is False
    assert conf.task_acks_late
    assert conf.task_reject_on_worker_lost
    assert importlib.util.find_spec("celery_batches") is None
    assert int(fleet.client.info("server")["valkey_version"].split(".")[0]) >= 9


def test_deaths_between_part_and_success_are_counted_once(fleet: Fleet) -> None:
    manifest = done(fleet.send(script("gap", "", "between", "")))
    assert manifest["segments"] == 3
    assert sorted(decodes(fleet, manifest["job"])) == [1, 1, 1]


def test_dead_children_are_replaced_and_jobs_continue(fleet: Fleet) -> None:
    manifest = done(fleet.send(script("child", "", "dieonce", "")))
    assert manifest["state"] == "done"
    assert sorted(decodes(fleet, manifest["job"])) == [1, 1, 2]


def test_poison_segments_are_quarantined_and_named(fleet: Fleet) -> None:
    known = fleet.planned()
    result = fleet.send(script("poison", "", "poison", "", ""))
    job = fleet.job(known)
    message = failed(result)
    assert "segment 1 (script line 2)" in message
    assert "its worker died 3 times" in message
    assert fleet.jobs.artifacts.missing(fleet.jobs.plans.need(job)) == [1], "the rest is retained"
    assert decodes(fleet, job) == [1, 3, 1, 1]


def test_on_error_gap_leaves_silence(fleet: Fleet) -> None:
    manifest = done(fleet.send(script("gap", "", "poison", ""), {"on_error": "gap"}))
    assert manifest["state"] == "gaps"
    assert [(gap["segment"], gap["source_line"]) for gap in manifest["gaps"]] == [(1, 2)]


def test_unexpected_errors_fail_their_segment_without_quoting_the_script(fleet: Fleet) -> None:
    message = failed(fleet.send(script("velvet", "", "faulty")))
    assert "segment 1" in message
    assert "ValueError at mischief.py" in message
    fleet.app.send_task("voxchord.rendr", kwargs={"script": "velvet curtains"}, queue="voxchord")
    fleet.app.send_task("voxchord.render", kwargs={"skript": "velvet curtains"}, queue="voxchord")
    failed(
        fleet.app.send_task("voxchord.render", kwargs={"script": "Anna: velvet [pause:"}, queue="voxchord")
    )
    assert "velvet" not in message
    for log in fleet.folder.glob("*.log"):
        assert b"velvet" not in log.read_bytes(), log.name


@pytest.mark.slow
def test_errors_while_remaking_artifacts_are_classified(fleet: Fleet) -> None:
    assert done(fleet.send(script("full", "losefull", "")))["state"] == "done"
    message = failed(fleet.send(script("lost", "", "losefaulty")))
    assert "segment 1" in message
    assert "ValueError at mischief.py" in message


@pytest.mark.slow
def test_jobs_with_damaged_plans_fail_for_all_waiters_and_can_be_requested_again(fleet: Fleet) -> None:
    known = fleet.planned()
    text = script("page", "wait5", "")
    first = fleet.send(text)
    job = fleet.job(known)
    until(lambda: fleet.trying("diffusion"), LIMIT_S)
    second = fleet.send(text)
    until(lambda: len(fleet.roots.waiting(job)) == 2, LIMIT_S)
    for name in ("work0", "work1"):  # they know the page
        fleet.kill(name)
    for copy in ("", "~"):
        (fleet.store / "jobs" / job / f"plan.00000{copy}").write_bytes(b"damaged")
    fleet.start("work0", "work1")
    assert "plan.00000" in failed(first)
    assert "plan.00000" in failed(second)
    until(lambda: not fleet.jobs.coordination.is_open(job), LIMIT_S)
    assert done(fleet.send(text))["segments"] == 2


@pytest.mark.parametrize("priority", [0, 9])
def test_a_request_whose_worker_dies_before_it_is_recorded_is_answered(fleet: Fleet, priority: int) -> None:
    fleet.kill("intake")
    arguments = {"script": script(f"receipt{priority}", "")}
    result = fleet.app.send_task("voxchord.render", kwargs=arguments, queue="voxchord", priority=priority)
    command = [sys.executable, "-m", "tests.faults.dying_receiver", fleet.url, result.id]
    died = subprocess.run(command, check=False, timeout=60)
    assert died.returncode == -signal.SIGKILL
    (received,) = fleet.client.lrange("voxchord.received", 0, -1)
    assert result.id.encode() in received
    fleet.start("intake")
    assert done(result)["segments"] == 1
    assert received not in fleet.client.lrange("voxchord.received", 0, -1)
    until(lambda: fleet.client.llen("voxchord.received") == 0, LIMIT_S)  # another message may be arriving


def test_requests_of_low_priority_are_received_one_after_another(fleet: Fleet) -> None:
    fleet.kill("intake")
    name, no_text = "voxchord.render", {"script": ""}
    sent = [
        fleet.app.send_task(name, kwargs=no_text, queue="voxchord", priority=9, ignore_result=False)
        for _ in range(30)
    ]
    fleet.start("intake")
    fleet.ready()
    began = time.monotonic()
    assert all("ScriptError" in repr(result.get(timeout=LIMIT_S, propagate=False)) for result in sent)
    assert time.monotonic() - began < len(sent) / 2, "no second passes between two of them"


def test_cancelling_stops_decodes_answers_waiters_and_drains_queues(fleet: Fleet) -> None:
    known = fleet.planned()
    text = script("cancel", *["wait30"] * 40)
    first = fleet.send(text)
    job = fleet.job(known)
    until(lambda: fleet.trying("diffusion"), LIMIT_S)
    second = fleet.send(text)
    until(lambda: len(fleet.roots.waiting(job)) == 2, LIMIT_S)
    fleet.jobs.coordination.cancel(job)  # only the flag: the stages see it
    assert "was cancelled" in failed(first)
    assert "was cancelled" in failed(second)
    until(lambda: queued(fleet) == 0, LIMIT_S)
    assert not fleet.jobs.coordination.is_open(job)


def test_short_jobs_overtake_earlier_long_ones(fleet: Fleet) -> None:
    known = fleet.planned()
    long = fleet.send(script("long", *["wait0.1"] * 400))
    job = fleet.job(known)
    until(lambda: fleet.roots.sent(job), LIMIT_S)
    done(fleet.send(script("short", *["wait0.1"] * 3)))
    assert not long.ready()
    fleet.jobs.coordination.cancel(job)
    failed(long)
    until(lambda: queued(fleet) == 0, LIMIT_S)


def test_cancelled_jobs_resume_on_a_new_request(fleet: Fleet) -> None:
    known = fleet.planned()
    text = script("again", "", "", "wait3", "")
    first = fleet.send(text)
    job = fleet.job(known)
    until(lambda: fleet.trying("diffusion"), LIMIT_S)
    fleet.jobs.coordination.cancel(job)
    assert "was cancelled" in failed(first)
    manifest = done(fleet.send(text))
    assert manifest["job"] == job
    assert fleet.jobs.outcomes.failures(job) == {}


@pytest.mark.parametrize("task", ["render", "text", "semantic", "speaker", "diffusion", "stitch"])
def test_repeated_messages_run_once(fleet: Fleet, task: str) -> None:
    for name in ("work0", "work1"):
        os.killpg(fleet.workers[name].pid, signal.SIGSTOP)
    known = fleet.planned()
    result = fleet.send(script(f"twice{task}", "wait0.2", ""))
    job = fleet.job(known)
    until(lambda: fleet.roots.sent(job), LIMIT_S)
    root = fleet.roots.claimed_by(job) or ""
    ref = {"job": job, "segment": 0, "ok": True}
    arguments: dict[str, Any] = {
        "render": {"kwargs": {"script": script("twicerender", "wait0.2", "")}, "task_id": root},
        "stitch": {"kwargs": {"job": job}, "task_id": root, "queue": "cpu.stitch"},
    }.get(
        task,
        {"args": [ref], "queue": {"text": "cpu.text", "semantic": "cpu.semantic"}.get(task, f"gpu.{task}")},
    )
    for _ in range(2):
        fleet.app.send_task(f"voxchord.{task}", **{"queue": "voxchord", **arguments})
    for name in ("work0", "work1"):
        os.killpg(fleet.workers[name].pid, signal.SIGCONT)
    manifest = done(result)
    turns = json.loads(fleet.jobs.store.objects.read(manifest["turns"]["name"]) or b"")
    assert [turn["turn"] for turn in turns] == [0, 1]
    until(lambda: queued(fleet) == 0, LIMIT_S)
    assert done(fleet.app.AsyncResult(root)) == manifest


def test_jobs_survive_a_broker_that_lost_its_memory(fleet: Fleet) -> None:
    known = fleet.planned()
    result = fleet.send(script("memory", *["wait0.3"] * 8))
    job = fleet.job(known)
    until(lambda: 2 <= 8 - len(fleet.jobs.artifacts.missing(fleet.jobs.plans.need(job))) <= 6, LIMIT_S)
    fleet.client.flushall()
    assert done(result)["segments"] == 8
    assert max(decodes(fleet, job)) <= 2
    assert sum(decodes(fleet, job)) <= 8 + 2


def test_segments_of_lost_workers_go_to_others(fleet: Fleet) -> None:
    result = fleet.send(script("gone", *["wait0.5"] * 6))
    until(lambda: len(fleet.trying("diffusion")) == 2, LIMIT_S)
    fleet.kill("work1")
    manifest = done(result)
    assert manifest["segments"] == 6
    assert sum(decodes(fleet, manifest["job"])) <= 6 + 1


def test_hanging_decodes_kill_their_process_and_run_elsewhere(fleet: Fleet) -> None:
    manifest = done(fleet.send(script("hang", "hangonce", "")))
    assert sorted(decodes(fleet, manifest["job"])) == [1, 2]


@pytest.mark.slow
def test_slow_downloads_of_models_are_not_hangs(fleet: Fleet) -> None:
    manifest = done(fleet.send(script("load", "loadonce", "")))
    assert sorted(decodes(fleet, manifest["job"])) == [1, 1]


def test_workers_that_start_no_message_requeue_and_exit(fleet: Fleet) -> None:
    (child,) = fleet.children("intake")
    child.suspend()  # it hangs where no task is that could be watched
    result = fleet.send(script("still", ""))
    assert fleet.workers["intake"].wait(LIMIT_S) == -signal.SIGKILL
    until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)
    assert fleet.client.hlen("voxchord.unacked") == 0, "nobody has to wait for what it held"
    fleet.start("intake")
    assert done(result)["segments"] == 1


@pytest.mark.slow
def test_workers_with_unread_result_pipes_requeue_and_exit(fleet: Fleet) -> None:
    manifest = done(fleet.send(script("mute", "", "mute", "")))
    assert manifest["segments"] == 3
    assert sorted(decodes(fleet, manifest["job"])) == [1, 1, 1], "what was made is retained"
    until(lambda: -signal.SIGKILL in [fleet.workers[name].poll() for name in ("work0", "work1")])
    until(lambda: queued(fleet) == 0, LIMIT_S)


def _replaced_by_a_file(folder: Path) -> bool:
    """False if a worker created the folder again meanwhile."""
    folder.rename(folder.with_name(f"away-{uuid4().hex}"))
    try:
        folder.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def test_refusing_stores_pause_the_job(fleet: Fleet) -> None:
    known = fleet.planned()
    result = fleet.send(script("full", *["wait0.3"] * 6))
    job = fleet.job(known)
    until(lambda: fleet.trying("diffusion"), LIMIT_S)
    scratch = fleet.store / ".scratch"
    until(lambda: _replaced_by_a_file(scratch))
    try:
        until(lambda: result.state == "PAUSED", LIMIT_S)
        assert result.info["reason"].endswith("Not a directory"), "whichever stage met it first"
    finally:
        scratch.unlink()
    assert done(result)["state"] == "done"
    assert fleet.jobs.outcomes.failures(job) == {}


@pytest.mark.parametrize("damage", ["truncated", "bit-flipped"])
def test_damaged_artifacts_are_made_again(fleet: Fleet, damage: str) -> None:
    text = script(damage, "", "", "")
    quiet = done(fleet.send(text, {"format": "wav"}))
    plan = fleet.jobs.plans.need(quiet["job"])
    for index, stage in enumerate(("audio", "spans", "semantic")):
        path = fleet.store / stage_name(fleet.jobs.plans.segment(plan.job, index).key, stage)
        data = bytearray(path.read_bytes())
        data = data[:-7] if damage == "truncated" else data
        data[len(data) // 2] ^= 4
        path.write_bytes(data)
    fleet.jobs.coordination.reopen(plan.job, flags=FLAGS)
    again = done(fleet.send(text, {"format": "wav"}))
    assert again["audio"] == quiet["audio"]


@pytest.mark.slow
def test_long_tasks_of_live_workers_are_not_redelivered(fleet: Fleet, tmp_path: Path) -> None:
    environment = {**os.environ, "NEIGHBOUR_BROKER": fleet.url}
    command = [sys.executable, "-m", "celery", "-A", "tests.faults.neighbour", "worker", "-P", "threads"]
    command += ["-c", "1", "--loglevel", "ERROR", "--without-gossip", "--without-mingle"]
    neighbour = subprocess.Popen(command, env=environment)
    try:
        other = fleet.app.send_task(
            "tests.faults.neighbour.long", args=[3 * TIMEOUT_S, str(tmp_path / "starts")], queue="celery"
        )
        manifest = done(fleet.send(script("long", f"wait{3 * TIMEOUT_S}", "")))
        assert decodes(fleet, manifest["job"]) == [1, 1]
        other.get(timeout=LIMIT_S)
        assert (tmp_path / "starts").read_text() == "started\n"
    finally:
        neighbour.terminate()
        neighbour.wait(30)


@pytest.mark.parametrize(
    "ref",
    [None, 7, {"job": "../../etc/passwd", "segment": 0}, {"job": "a" * 20, "segment": -1}, {"segment": 0}],
)
def test_messages_with_invalid_job_ids_touch_nothing(fleet: Fleet, ref: object) -> None:
    before = set(fleet.store.rglob("*"))
    result = fleet.app.send_task("voxchord.diffusion", args=[ref], queue="gpu.diffusion")
    assert "OptionError" in failed(result)
    assert {path for path in set(fleet.store.rglob("*")) - before if "probe" not in path.name} == set()


@pytest.mark.slow
def test_stopped_thread_pools_requeue_their_segments(tmp_path: Path) -> None:
    layout = {"intake": "voxchord", "device": STAGES}
    pools = {"device": ("-P", "threads", "-c", "2")}
    with Fleet(tmp_path, settings=SETTINGS, layout=layout, pools=pools, forked=True) as fleet:
        fleet.start()
        fleet.ready()
        result = fleet.send(script("stop", "wait5", "wait5"))
        until(lambda: len(fleet.trying("diffusion")) == 2, LIMIT_S)
        (job,) = fleet.planned()
        fleet.workers["device"].terminate()
        fleet.workers["device"].wait(LIMIT_S)
        assert len(fleet.jobs.artifacts.missing(fleet.jobs.plans.need(job))) == 2, (
            "it didn't wait for the decode"
        )
        fleet.start("device")
        assert done(result)["segments"] == 2
        for path in [fleet.folder / "state", *(fleet.folder / "state").rglob("*"), *fleet.store.rglob("*")]:
            assert path.stat().st_mode & 0o077 == 0, f"{path} is open to others"
