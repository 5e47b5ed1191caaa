"""Receives messages as a worker does, and is killed before it has recorded one request.

    python -m tests.faults.dying_receiver BROKER TASK_ID

Messages before it are dropped, such as that of a worker killed between its answer and its acknowledgement.
"""

import os
import signal
import sys
from typing import Any

from kombu import Connection

from tasks.broker import transport
from tasks.broker.queues import INTAKE
from tasks.internals import kombu_internals


def die_at_request(raw: Any) -> None:
    if raw["headers"]["id"] == sys.argv[2]:
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    kombu_internals.screen(die_at_request, (), moved_queue=INTAKE[0])
    queue = transport.queue(INTAKE[0])
    callbacks = [lambda *_: None]
    with (
        Connection(sys.argv[1]) as connection,
        connection.Consumer(queue, no_ack=True, callbacks=callbacks),
    ):
        while True:
            connection.drain_events()
