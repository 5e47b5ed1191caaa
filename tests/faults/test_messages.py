"""Malformed messages: each becomes a dead letter, no worker exits, and the next job finishes."""

import base64
import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from celery.exceptions import NotRegistered

from bench.harness import results
from bench.harness.fleet import Fleet
from bench.harness.malformed import MALFORMED, envelope
from bench.harness.waiting import until
from tasks.broker import dead_letters
from tasks.broker.queues import QUEUES
from tasks.make_app import make_app
from tasks.orchestration.resources import VoxchordApp
from tasks.settings import Settings
from tests.faults.fleet_jobs import LIMIT_S, command, done
from tests.faults.scripts import script

WORD = "velvet"


@pytest.fixture
def ours(fleet: Fleet) -> Iterator[VoxchordApp]:
    app = make_app(Settings(state=fleet.folder / "client", metering=False), fleet.url)
    dead_letters.drop(app, *dead_letters.entries(app))
    yield app
    results.close(app)


def pids(fleet: Fleet) -> dict[str, int]:
    return {name: process.pid for name, process in fleet.workers.items() if process.poll() is None}


def children(fleet: Fleet) -> set[int]:
    return {child.pid for name in fleet.workers for child in fleet.children(name)}


@pytest.mark.parametrize("queue", QUEUES)
def test_malformed_messages_stop_no_worker(fleet: Fleet, ours: VoxchordApp, queue: str) -> None:
    before = pids(fleet)
    for message in MALFORMED.values():
        fleet.client.lpush(queue, message(queue))
    until(lambda: fleet.client.llen(queue) == 0, LIMIT_S)
    until(lambda: dead_letters.count(ours) >= len(MALFORMED), 15)
    assert done(fleet.send(script(f"after{queue.replace('.', '')}", "")))["segments"] == 1
    until(lambda: fleet.client.hlen("voxchord.unacked") == 0, LIMIT_S)
    assert pids(fleet) == before
    found = dead_letters.entries(ours)
    assert len(found) == len(MALFORMED)
    assert {entry.queue for entry in found} == {queue}


def test_the_sender_is_answered_where_the_id_is_known(fleet: Fleet, ours: VoxchordApp) -> None:
    task_id = str(uuid4())
    fleet.client.lpush("voxchord", envelope("voxchord", headers={"id": task_id, "timelimit": "ab"}))
    with pytest.raises(Exception, match="cannot be understood: its headers timelimit"):
        fleet.app.AsyncResult(task_id).get(timeout=LIMIT_S)
    (entry,) = dead_letters.entries(ours)
    assert (entry.task_id, entry.task, entry.stored) == (task_id, "voxchord.render", True)


def test_unknown_tasks_are_answered_and_stored(fleet: Fleet, ours: VoxchordApp) -> None:
    sent = fleet.app.send_task("voxchord.rendr", kwargs={"script": WORD}, queue="voxchord")
    with pytest.raises(NotRegistered):
        sent.get(timeout=LIMIT_S)
    (entry,) = dead_letters.entries(ours)
    assert (entry.task_id, entry.task, entry.part) == (sent.id, "voxchord.rendr", "headers")


def test_dead_letters_hold_no_words_and_can_be_put_back(fleet: Fleet, ours: VoxchordApp) -> None:
    kwargs = {"script": script(WORD, "")}
    body = [[], kwargs, {"callbacks": 3}]
    task_id = str(uuid4())
    fleet.client.lpush(
        "voxchord", envelope("voxchord", headers={"id": task_id}, body=json.dumps(body).encode())
    )
    (entry,) = until(lambda: dead_letters.entries(ours), LIMIT_S)
    assert WORD not in str(entry)
    assert not any(WORD.encode() in each for each in fleet.client.lrange("voxchord.dead_letters", 0, -1))
    assert dead_letters.requeue(ours, entry)
    (again,) = until(lambda: [each for each in dead_letters.entries(ours) if each.id != entry.id], LIMIT_S)
    assert (again.task_id, again.reason) == (task_id, entry.reason)
    dead_letters.drop(ours, again)
    assert dead_letters.count(ours) == 0
    assert fleet.client.hlen("voxchord.dead_letters.messages") == 0
    for log in fleet.folder.glob("*.log"):
        assert WORD.encode() not in log.read_bytes(), log.name


def test_the_command_lists_shows_puts_back_and_drops(fleet: Fleet, ours: VoxchordApp) -> None:
    fleet.client.lpush("cpu.text", envelope("cpu.text", headers={"eta": WORD}))
    (entry,) = until(lambda: dead_letters.entries(ours), LIMIT_S)
    (listed,) = json.loads(command(fleet, "dead-letter", "list", "--json"))
    assert json.loads(command(fleet, "dead-letter", "show", entry.id[:6])) == listed
    assert (listed["queue"], listed["reason"]) == ("cpu.text", "eta is missing, or has a wrong type")
    assert "1 messages could not be understood" in command(fleet, "doctor")
    assert "put back 1" in command(fleet, "dead-letter", "requeue", entry.id)
    (again,) = until(lambda: [each for each in dead_letters.entries(ours) if each.id != entry.id], LIMIT_S)
    assert again.reason == entry.reason
    assert "removed 1" in command(fleet, "dead-letter", "drop", "--all")
    assert dead_letters.count(ours) == 0
    assert "no dead letter has" in command(fleet, "dead-letter", "show", "nothing")


def test_entries_of_a_later_release_are_read_and_dropped(fleet: Fleet, ours: VoxchordApp) -> None:
    fleet.client.lpush("cpu.text", b"{")
    (entry,) = until(lambda: dead_letters.entries(ours), LIMIT_S)
    (stored,) = fleet.client.lrange("voxchord.dead_letters", 0, -1)
    fleet.client.lset("voxchord.dead_letters", 0, json.dumps({**json.loads(stored), "mood": "glad"}))
    assert dead_letters.entries(ours) == [entry]
    dead_letters.drop(ours, entry)
    assert dead_letters.count(ours) == 0


def test_the_list_is_bounded(fleet: Fleet, ours: VoxchordApp) -> None:
    many = dead_letters.ENTRIES_MAX + 50
    fleet.client.lpush("voxchord", *(b"{" for _ in range(many)))
    until(lambda: fleet.client.llen("voxchord") == 0, LIMIT_S)
    until(lambda: dead_letters.count(ours) == dead_letters.ENTRIES_MAX, LIMIT_S)
    assert done(fleet.send(script("bounded", "")))["segments"] == 1
    until(lambda: fleet.client.hlen("voxchord.dead_letters.messages") == dead_letters.ENTRIES_MAX, LIMIT_S)


@pytest.mark.parametrize(
    "options",
    [
        {"countdown": 0.1},
        {"expires": 60},
        {"priority": 3},
        {"time_limit": 60, "soft_time_limit": 50.5},
        {"compression": "gzip"},
        {"shadow": "another name"},
        {"task_id": "any-id"},
        {"headers": {"mine": {"deep": [1, None]}}},
        {"ignore_result": False, "retries": 1},
        {"link": {"task": "x", "args": [], "kwargs": {}, "options": {"queue": "nowhere"}}},
        {"stamped_headers": ["customer"], "customer": "c7"},
    ],
    ids=lambda options: next(iter(options)),
)
def test_what_celery_clients_send_passes(fleet: Fleet, ours: VoxchordApp, options: dict[str, Any]) -> None:
    name = "legal" + next(iter(options)).replace("_", "")
    assert done(fleet.send(script(name, ""), **options))["segments"] == 1
    assert dead_letters.count(ours) == 0


def test_protocol_1_passes(fleet: Fleet, ours: VoxchordApp) -> None:
    task_id = str(uuid4())
    body = {"task": "voxchord.render", "id": task_id, "args": [], "kwargs": {"script": script("old", "")}}
    raw = json.loads(envelope("voxchord"))
    raw["headers"], raw["body"] = {}, base64.b64encode(json.dumps(body).encode()).decode()
    fleet.client.lpush("voxchord", json.dumps(raw))
    assert done(fleet.app.AsyncResult(task_id))["segments"] == 1
    assert dead_letters.count(ours) == 0
