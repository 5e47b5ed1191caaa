"""Receives messages as a worker does, and is killed before it has recorded a request."""

import os
import signal
import sys
from typing import Any

from kombu import Connection

from tasks.broker import transport
from tasks.broker.queues import INTAKE
from tasks.internals import kombu_internals


def die_at_request(raw: Any) -> None:
    if raw["headers"]["task"] == "voxchord.render":
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    kombu_internals.screen(die_at_request, (), moved_queue=INTAKE[0])
    with Connection(sys.argv[1]) as connection, connection.Consumer(transport.queue(INTAKE[0]), no_ack=True):
        while True:
            connection.drain_events()
