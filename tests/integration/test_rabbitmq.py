"""Tests of RabbitMQ as broker, one node of Debian's version, with results in Redis."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import amqp
import pytest

from bench.harness.fleet import QUICK, Fleet
from bench.harness.malformed import MALFORMED
from bench.harness.services import Rabbit, rabbitmq
from bench.harness.waiting import until
from pipeline.errors import OptionError
from tasks.broker import dead_letters
from tasks.broker.queues import PRIORITY_STEPS, QUEUES
from tasks.broker.transport import Broker
from tasks.make_app import make_app
from tasks.settings import Settings, load
from tests.faults.mischief import SETTING, deeds
from tests.faults.scripts import script as deeds_of
from tests.integration.conftest import LIMIT_S, Quiet, audio, script
from tests.tools import thorough, tool

pytestmark = thorough
WORK = "gpu.diffusion,gpu.speaker,cpu.stitch,cpu.verify,cpu.semantic,cpu.text"

OF_A_TASK = (
    "body ",
    "ID ",
    "task ",
    "retries",
    "time limits",
    "stamped",
    "ETA",
    "expiry",
    "nesting",
    "root",
    "group",
)
"""First words of the malformed messages whose headers or body are at fault, which AMQP can carry too."""
NOT_ON_AMQP = ("retries huge", "ID a surrogate", "body not base64", "body an object")


@pytest.fixture(scope="module")
def rabbit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rabbit]:
    tool("rabbitmq-server")
    with rabbitmq(tmp_path_factory.mktemp("rabbit")) as server:
        yield server


@pytest.fixture(scope="module")
def fleet(rabbit: Rabbit, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    settings = {**QUICK, "VOXCHORD_ENGINES": SETTING, "VOXCHORD_METERING": "1"}
    layout = {"intake": "voxchord", "work0": WORK, "work1": f"{WORK},gpu.here.7"}
    folder = tmp_path_factory.mktemp("fleet")
    with Fleet(folder, settings=settings, broker_url=rabbit.url, layout=layout, forked=True) as fleet:
        fleet.start()
        fleet.ready()
        yield fleet


def queues(rabbit: Rabbit) -> dict[str, tuple[int, int]]:
    """Waiting and unacknowledged messages by queue."""
    said = rabbit.ask(
        "list_queues", "--no-table-headers", "name", "messages_ready", "messages_unacknowledged"
    )
    rows = [line.split("\t") for line in said.splitlines() if line.count("\t") == 2]
    return {name: (int(ready), int(held)) for name, ready, held in rows}


def state(fleet: Fleet) -> Path:
    return fleet.folder / "state"


def test_rabbitmq_output_matches_redis_and_queues_are_empty(
    fleet: Fleet, rabbit: Rabbit, quiet: Quiet
) -> None:
    text = script(12)
    manifest = fleet.send(text).get(timeout=LIMIT_S)
    assert audio(fleet, manifest) == quiet.audio(text)
    until(lambda: all(sum(queues(rabbit)[name]) == 0 for name in QUEUES), LIMIT_S)


def test_queues_are_durable_and_urgent_messages_overtake(fleet: Fleet, rabbit: Rabbit) -> None:
    said = rabbit.ask("list_queues", "--no-table-headers", "name", "durable", "arguments")
    rows = {line.split("\t")[0]: line for line in said.splitlines()}
    for name in (*QUEUES, "gpu.here.7"):
        assert "\ttrue\t" in rows[name]
        assert ("x-max-priority" in rows[name]) == (name != "voxchord"), (
            "other apps declare the intake, plainly"
        )
    numbers = [Broker(rabbit.url, 60, "", "").priority(step) for step in PRIORITY_STEPS]
    assert numbers == [3, 2, 1, 0], "on AMQP the highest is served first"


def test_work_of_killed_workers_is_redelivered_by_rabbitmq(fleet: Fleet) -> None:
    result = fleet.send(deeds_of("killed", *["wait2"] * 6), {"engine": "mischief"})
    until(lambda: len(fleet.trying("diffusion")) == 2, LIMIT_S)
    fleet.kill("work1")
    manifest = result.get(timeout=LIMIT_S)
    assert (manifest["segments"], manifest["state"]) == (6, "done")
    plan = fleet.jobs.plans.need(manifest["job"])
    seen = deeds(state(fleet))
    assert sum(seen.count(f"decode {segment.seed}") for segment in fleet.jobs.plans.segments(plan)) <= 6 + 1
    fleet.start("work1")
    fleet.ready("work1")


def test_killed_processes_are_replaced_and_their_segments_redone(fleet: Fleet) -> None:
    manifest = fleet.send(deeds_of("child", "dieonce", ""), {"engine": "mischief"}).get(timeout=LIMIT_S)
    assert manifest["state"] == "done"


def test_cancelled_jobs_answer_at_once_and_their_messages_drain(fleet: Fleet, rabbit: Rabbit) -> None:
    known = fleet.planned()
    result = fleet.send(deeds_of("cancelled", *["wait30"] * 8), {"engine": "mischief"})
    job = fleet.job(known)
    until(lambda: fleet.trying("diffusion"), LIMIT_S)
    fleet.jobs.coordination.cancel(job)  # the flag alone: the reconciler finds it and answers
    with pytest.raises(Exception, match=r"cancelled"):
        result.get(timeout=LIMIT_S)
    until(lambda: all(sum(queues(rabbit)[name]) == 0 for name in QUEUES if name != "voxchord"), LIMIT_S)


def test_short_jobs_overtake_long_ones(fleet: Fleet) -> None:
    long = fleet.send(deeds_of("long", *["wait0.3"] * 90), {"engine": "mischief"})
    until(lambda: len(fleet.trying("diffusion")) == 2, LIMIT_S)
    fleet.send(deeds_of("short", "", ""), {"engine": "mischief"}).get(timeout=LIMIT_S)
    assert not long.ready()
    assert long.get(timeout=LIMIT_S)["segments"] == 90


def test_device_jobs_use_the_device_queue(fleet: Fleet) -> None:
    manifest = fleet.send("Anna: There.", {"device": "here.7"}).get(timeout=LIMIT_S)
    assert manifest["state"] == "done"


def test_reconciler_finds_messages_lost_by_the_broker(fleet: Fleet, rabbit: Rabbit) -> None:
    known = fleet.planned()
    result = fleet.send(deeds_of("lost", *["wait3"] * 6), {"engine": "mischief"})
    fleet.job(known)
    until(lambda: len(fleet.trying("diffusion")) == 2, LIMIT_S)
    for name in WORK.split(","):
        rabbit.ask("purge_queue", name)
    assert result.get(timeout=LIMIT_S)["segments"] == 6


def test_broker_restarts_lose_nothing(fleet: Fleet, rabbit: Rabbit) -> None:
    result = fleet.send(deeds_of("restart", *["wait1"] * 12), {"engine": "mischief"})
    until(lambda: len(fleet.trying("diffusion")) == 2, LIMIT_S)
    rabbit.ask("stop_app")
    rabbit.ask("start_app")
    manifest = result.get(timeout=LIMIT_S)
    assert (manifest["segments"], manifest["state"]) == (12, "done")
    until(lambda: all(sum(queues(rabbit)[name]) == 0 for name in QUEUES), LIMIT_S)


def publish(rabbit: Rabbit, raw: dict[str, Any]) -> None:
    """Publish a message with the headers and body of a message of Redis."""
    given = raw["properties"]
    properties = {name: given[name] for name in ("correlation_id", "reply_to") if name in given}
    message = amqp.Message(
        base64.b64decode(raw["body"]),
        content_type=raw["content-type"],
        content_encoding=raw["content-encoding"],
        application_headers=raw["headers"],
        **properties,
    )
    parts = urlsplit(rabbit.url)
    with amqp.Connection(f"{parts.hostname}:{parts.port}") as connection:
        connection.channel().basic_publish(message, routing_key="voxchord")


def test_malformed_messages_become_dead_letters(fleet: Fleet, rabbit: Rabbit) -> None:
    app = make_app(Settings(state=fleet.folder / "client", metering=False, result_url=fleet.url), rabbit.url)
    before = {name: process.pid for name, process in fleet.workers.items() if process.poll() is None}
    chosen = [name for name in MALFORMED if name.startswith(OF_A_TASK) and name not in NOT_ON_AMQP]
    for name in chosen:
        publish(rabbit, json.loads(MALFORMED[name]("voxchord")))
    until(lambda: dead_letters.count(app) >= len(chosen), LIMIT_S)
    assert fleet.send("Anna: After all of them.").get(timeout=LIMIT_S)["state"] == "done"
    until(lambda: sum(queues(rabbit)["voxchord"]) == 0, LIMIT_S)
    after = {name: process.pid for name, process in fleet.workers.items() if process.poll() is None}
    assert after == before, "no worker ended"
    found = dead_letters.entries(app)
    assert len(found) == len(chosen)
    assert {entry.queue for entry in found} == {"voxchord"}
    dead_letters.drop(app, *found[1:])
    assert dead_letters.requeue(app, found[0])
    (again,) = until(lambda: dead_letters.entries(app), LIMIT_S)
    assert (again.reason, again.id == found[0].id) == (found[0].reason, False)
    dead_letters.drop(app, again)
    app.close()


def test_stopping_workers_requeue_their_work(fleet: Fleet) -> None:
    result = fleet.send(deeds_of("stopped", *["wait2"] * 6), {"engine": "mischief"})
    until(lambda: len(fleet.trying("diffusion")) == 2, LIMIT_S)
    fleet.workers["work1"].terminate()
    fleet.workers["work1"].wait(60)
    assert result.get(timeout=LIMIT_S)["state"] == "done"
    fleet.start("work1")
    fleet.ready("work1")


def test_amqp_without_a_result_backend_is_refused() -> None:
    with pytest.raises(OptionError, match="VOXCHORD_RESULT_URL"):
        load({"VOXCHORD_BROKER_URL": "amqps://me@host//"})
