"""Tests of messages in receipt, and of those whose acknowledgement fails."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kombu import Connection
from redis import Redis

from tasks.broker.transport import queue
from tasks.internals import kombu_internals
from tasks.internals.kombu_internals import ScreenedTransport
from tasks.local.valkey import Valkey

TRANSPORT = f"{ScreenedTransport.__module__}:{ScreenedTransport.__name__}"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Valkey]:
    valkey = Valkey(tmp_path)
    valkey.start()
    yield valkey
    valkey.stop()


def test_a_message_that_cannot_be_acknowledged_is_held_no_longer(server: Valkey) -> None:
    received: list[Any] = []
    with (
        Redis.from_url(server.url) as admin,
        Connection(server.url, transport=TRANSPORT) as connection,
        connection.channel() as opened,
    ):
        channel: Any = opened
        consumer = connection.Consumer(
            queue("cpu.text"), channel=channel, callbacks=[lambda body, message: received.append(message)]
        )
        consumer.qos(prefetch_count=1)
        with consumer:
            connection.Producer(channel).publish({}, routing_key="cpu.text", retry=False)
            connection.drain_events(timeout=10)
            (message,) = received
            assert not channel.qos.can_consume()
            admin.config_set("maxclients", 1)
            admin.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            with pytest.raises(connection.connection_errors):
                message.ack()
            assert channel.qos.can_consume(), "the channel waits for messages, and sees that it is cut off"
            assert not kombu_internals.held(channel)
            admin.config_set("maxclients", 100)
            assert admin.hlen("unacked") == 1, "it is redelivered"


def test_messages_in_receipt_are_requeued_with_those_of_dead_workers(server: Valkey) -> None:
    with (
        Redis.from_url(server.url) as admin,
        Connection(server.url, transport=TRANSPORT) as connection,
        connection.channel() as channel,
    ):
        admin.lpush("voxchord.received", "first", "second")
        admin.lpush("voxchord", "third")
        kombu_internals.requeue_unacknowledged(channel, "voxchord")
        assert admin.lrange("voxchord", 0, -1) == [b"third", b"second", b"first"], "the first one is next"
        assert not admin.exists("voxchord.received")
