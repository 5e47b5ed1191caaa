"""Snapshots of a real server's messages."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tasks.local.valkey import Valkey
from tasks.make_app import make_app
from tasks.message_headers import JOB, SEGMENT
from tasks.orchestration.broker_snapshot import snapshot
from tasks.orchestration.resources import VoxchordApp
from tasks.settings import Settings

ID = "0123456789abcdef0123"
OTHER = "f" * 20


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    server = Valkey(tmp_path_factory.mktemp("broker"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def app(server: Valkey, tmp_path: Path) -> Iterator[VoxchordApp]:
    server.client.flushall()
    with make_app(Settings(state=tmp_path, metering=False), server.url) as app:
        yield app


def send(app: VoxchordApp, stage: str, segment: int, **options: Any) -> None:
    app.tasks[f"voxchord.{stage}"].apply_async(({"job": ID, "segment": segment},), **options)


def rewrite(server: Valkey, change: Any) -> None:
    """Change all queued messages."""
    for queue in server.client.keys("cpu.*"):
        messages = [json.loads(payload) for payload in server.client.lrange(queue, 0, -1)]
        server.client.delete(queue)
        for message in messages:
            change(message)
            server.client.rpush(queue, json.dumps(message))


def test_queued_and_unacknowledged_messages_cover_a_job(app: VoxchordApp, server: Valkey) -> None:
    send(app, "text", 0, priority=3)
    send(app, "diffusion", 1, queue="gpu.host.7")
    send(app, "semantic", 2)
    with app.connection_for_read() as connection:
        channel: Any = connection.default_channel
        channel.basic_consume("cpu.semantic", no_ack=False, callback=print, consumer_tag="test")
        connection.drain_events(timeout=5)
        assert server.client.hlen(channel.unacked_key) == 1
        found = snapshot(app)
    assert found.segments == {(ID, 0), (ID, 1), (ID, 2)}
    assert found.covers(ID, [0, 1, 2])
    assert not found.covers(ID, [0, 3])
    assert not found.covers(ID, [])


def test_stitches_cover_a_job_without_missing_segments(app: VoxchordApp) -> None:
    app.tasks["voxchord.stitch"].apply_async(kwargs={"job": ID})
    assert snapshot(app).covers(ID, [])
    assert not snapshot(app).covers(OTHER, [])
    assert not snapshot(app).covers(ID, [0])


def test_messages_of_release_0_1_0_are_read_from_their_arguments(app: VoxchordApp, server: Valkey) -> None:
    send(app, "text", 4)
    app.tasks["voxchord.stitch"].apply_async(kwargs={"job": OTHER})

    def without_headers(message: Any) -> None:
        assert message["headers"].pop(JOB)
        message["headers"].pop(SEGMENT, None)

    rewrite(server, without_headers)
    found = snapshot(app)
    assert found.segments == {(ID, 4)}
    assert found.stitches == {OTHER}


def test_representations_of_arguments_are_not_read(app: VoxchordApp, server: Valkey) -> None:
    send(app, "text", 5)

    def misleading(message: Any) -> None:
        message["headers"] |= {"kwargsrepr": f"job {OTHER} segment 7", "argsrepr": f"job {OTHER}"}

    rewrite(server, misleading)
    found = snapshot(app)
    assert found.segments == {(ID, 5)}
    assert found.stitches == frozenset()


@pytest.mark.parametrize(
    "payload",
    ["no json", "[]", "7", "{}", '{"headers": {}}', '{"headers": {}, "body": "W10="}', '[{"headers": 3}]'],
)
def test_messages_of_other_programs_are_skipped(app: VoxchordApp, server: Valkey, payload: str) -> None:
    server.client.rpush("cpu.text", payload)
    assert snapshot(app).segments == frozenset()
