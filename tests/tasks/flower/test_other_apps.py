"""Tests of other apps: requests, results and privacy."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from bench.harness.waiting import until
from tests.console import Console

WORDS = ("quixotry", "zephyrine", "borborygmus", "xylopolist", "antimacassar")
SCRIPT = (
    "Alice: The quixotry of it all was plain.\n"
    "Bob: A zephyrine morning, and a borborygmus to go with it.\n"
    "Alice: Ask the xylopolist about the antimacassar."
)

PLAIN_APP = """
import json, sys
from celery import Celery

app = Celery(broker=sys.argv[1], backend=sys.argv[1])
kwargs = {"script": sys.argv[2], "voices": {}, "options": json.loads(sys.argv[3])}
print(json.dumps(app.send_task("voxchord.render", kwargs=kwargs, queue="voxchord").get(timeout=60)))
"""

REFUSED = """
import json, sys
from celery import Celery

app = Celery(broker=sys.argv[1], backend=sys.argv[1])
sent = [app.send_task(task, kwargs=kwargs, queue="voxchord") for task, kwargs in json.loads(sys.argv[2])]
errors = [result.get(timeout=60, propagate=False) for result in sent]
print(json.dumps([[type(error).__name__, str(error)] for error in errors]))
"""

_LONGEST_S = 5.0
"""Longest time that a stage of these short jobs takes."""


def settled(console: Console) -> None:
    """Wait until events, Flower and history have all data of the job.

    Stages of a cancelled job are ignored by Celery: Flower never hears of their end.
    """
    until(
        lambda: all(
            task["state"] != "STARTED" or task["started"] < time.time() - _LONGEST_S
            for task in console.ask("/api/tasks?limit=10000").json.values()
        )
    )
    time.sleep(1.0)


def test_plain_celery_apps_get_manifests_and_text_stays_private(console: Console, tmp_path: Path) -> None:
    manifest = json.loads(console.elsewhere(PLAIN_APP, tmp_path, SCRIPT, '{"format": "flac"}'))
    assert manifest["state"] == "done"
    assert manifest["audio"]["name"].startswith(f"jobs/{manifest['job']}/audio")
    assert manifest["speakers"] == ["Alice", "Bob"]
    settled(console)
    assert any(event["type"] == "task-succeeded" for event in console.events)
    assert not console.telling(*WORDS)


def test_flower_api_accepts_jobs_and_returns_manifests(console: Console) -> None:
    kwargs = {"script": SCRIPT, "voices": {}, "options": {"format": "flac", "seed": 7}}
    sent = console.ask("/api/task/send-task/voxchord.render", {"kwargs": kwargs, "queue": "voxchord"})
    assert sent.status == 200
    waited = console.ask(f"/api/task/result/{sent.json['task-id']}?timeout=60").json
    assert waited["result"]["file_format"] == "flac", "its `state` is of the moment when it was asked"
    result = console.ask(f"/api/task/result/{sent.json['task-id']}").json
    assert (result["state"], result["result"]) == ("SUCCESS", waited["result"])
    settled(console)
    assert not console.telling(*WORDS)


@pytest.mark.parametrize(
    "options",
    [
        {"headers": {"id": [1]}},
        {"headers": {"task": ["x"]}},
        {"headers": {"timelimit": "ab"}},
        {"headers": []},
        {"time_limit": [1]},
        {"time_limit": -1},
        {"soft_time_limit": "1"},
        {"task_id": 7},
        {"task_id": "x" * 300},
        {"eta": "soon"},
        {"expires": [1]},
        {"priority": "high"},
        {"retries": True},
        {"link": ["x"]},
        {"chain": {"task": "x"}},
        {"stamped_headers": 7},
        {"stamped_headers": ["customer"]},
        {"serializer": "pickle"},
        {"connection": "redis://elsewhere"},
        {"kwargs": [1]},
    ],
    ids=str,
)
def test_flower_api_refuses_malformed_options(console: Console, options: dict[str, Any]) -> None:
    sent = console.ask("/api/task/send-task/voxchord.render", {"queue": "voxchord", **options})
    assert sent.status == 400


def test_flower_api_accepts_celery_options(console: Console) -> None:
    options = {
        "queue": "voxchord",
        "countdown": 0.1,
        "expires": 600,
        "priority": 3,
        "time_limit": 60,
        "headers": {"mine": [1]},
        "stamped_headers": ["customer"],
        "customer": "c7",
        "ignore_result": False,
    }
    sent = console.ask("/api/task/send-task/voxchord.render", {"kwargs": {"script": SCRIPT}, **options})
    assert sent.status == 200
    waited = console.ask(f"/api/task/result/{sent.json['task-id']}?timeout=60").json
    assert waited["result"]["job"]


def test_flower_lists_dead_letters(console: Console) -> None:
    sent = console.ask("/api/task/send-task/voxchord.rendr", {"args": [SCRIPT], "queue": "voxchord"}).json

    def listed() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = console.ask("/voxchord/dead-letters").json["dead_letters"]
        return found if sent["task-id"] in [entry["task_id"] for entry in found] else []

    found = until(listed)
    assert all(word not in str(found) for word in WORDS)


def test_requests_without_password_are_refused(console: Console) -> None:
    for path in ("/", "/tasks", "/api/tasks", "/api/workers", "/broker"):
        assert console.ask(path, credentials="").status == 401
        assert console.ask(path, credentials="voxchord:guess").status == 401
    sent = console.ask("/api/task/send-task/voxchord.render", {"kwargs": {}}, credentials="")
    assert sent.status == 401


def test_flower_drops_arguments_of_task_sent_events(console: Console, tmp_path: Path) -> None:
    """Check with `task-sent` events, in which the sender publishes its arguments."""
    program = PLAIN_APP.replace("kwargs =", "app.conf.task_send_sent_event = True\nkwargs =")
    json.loads(console.elsewhere(program, tmp_path, SCRIPT.replace("Bob", "Bert"), "{}"))
    settled(console)
    assert any(event["type"] == "task-sent" for event in console.events)
    assert not [place for place in console.telling(*WORDS) if place != "events"]
    console.events[:] = [event for event in console.events if event["type"] != "task-sent"]


REFUSALS: list[tuple[str, Any, str]] = [
    ("voxchord.render", {"script": f"{WORDS[0]} {WORDS[1]}\nAlice: {WORDS[2]}."}, "ScriptError"),
    ("voxchord.render", {"script": f"Alice: [pause:{WORDS[0]}] {WORDS[1]}."}, "ScriptError"),
    ("voxchord.render", {"script": [{"speaker": "Alice", "text": {"text": WORDS[0]}}]}, "ScriptError"),
    ("voxchord.render", {"script": [WORDS[0]]}, "ScriptError"),
    ("voxchord.render", {"script": {"text": WORDS[0]}}, "ScriptError"),
    ("voxchord.render", {"script": f"Alice: {WORDS[0]} \u0007 {WORDS[1]}"}, "ScriptError"),
    ("voxchord.render", {"script": SCRIPT, "voices": {"Alice": "nobody"}}, "VoiceError"),
    ("voxchord.render", {"script": SCRIPT, "options": {"format": "8-track"}}, "OptionError"),
    ("voxchord.render", {"skript": SCRIPT}, "OptionError"),
    ("voxchord.rendr", {"script": SCRIPT}, "NotRegistered"),
]


def test_refusals_state_the_reason_without_script_text(console: Console, tmp_path: Path) -> None:
    requests = json.dumps([(task, kwargs) for task, kwargs, _ in REFUSALS])
    refusals = json.loads(console.elsewhere(REFUSED, tmp_path, requests))
    assert [name for name, _ in refusals] == [error for _, _, error in REFUSALS]
    assert not [message for _, message in refusals if any(word in message for word in WORDS)]
    settled(console)
    assert not console.telling(*WORDS)
