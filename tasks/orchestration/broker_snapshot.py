"""Snapshot of the messages a broker holds, in queues or unacknowledged by a worker."""

import base64
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tasks.broker.queues import QUEUES, device_queue
from tasks.broker.transport import counts
from tasks.internals import kombu_internals
from tasks.message_headers import Subject, subject_in_headers, subject_of_arguments
from tasks.orchestration.resources import VoxchordApp


@dataclass(frozen=True, slots=True)
class BrokerSnapshot:
    """Segments and stitches whose messages the broker holds."""

    segments: frozenset[tuple[str, int]]
    stitches: frozenset[str]
    known: bool = True
    """False if the broker cannot be searched; then only `busy` is known."""
    busy: bool = False

    def covers(self, job: str, missing: Iterable[int]) -> bool:
        """True if messages exist for all missing work of a job."""
        if not self.known:
            return self.busy
        missing = list(missing)
        if not missing:
            return job in self.stitches
        return all((job, index) in self.segments for index in missing)


def snapshot(app: VoxchordApp) -> BrokerSnapshot:
    """Take a snapshot: on Redis from all message headers, elsewhere from the lengths of queues."""
    with app.connection_for_read() as connection:
        channel: Any = connection.default_channel
        names = [name for name in QUEUES if name != "voxchord"]
        if kombu_internals.is_redis(channel):
            names += kombu_internals.queues_matching(channel, device_queue("*"))
            return _found(kombu_internals.payloads(channel, set(names)))
        busy = any(counts(connection, names).values())
        return BrokerSnapshot(frozenset(), frozenset(), known=False, busy=busy)


def _found(payloads: Iterable[bytes]) -> BrokerSnapshot:
    subjects = {subject for subject in map(subject_of_message, payloads) if subject}
    return BrokerSnapshot(
        segments=frozenset((each.job, each.segment) for each in subjects if each.segment is not None),
        stitches=frozenset(each.job for each in subjects if each.segment is None),
    )


def subject_of_message(payload: bytes) -> Subject | None:
    """Subject of a message as kombu stores it on Redis.

    Messages of release 0.1.0 have no headers for it; then it is taken from their arguments.
    """
    try:
        message = json.loads(payload)
        if isinstance(message, list):  # unacknowledged: [message, exchange, routing key]
            message = message[0]
        subject = subject_in_headers(message["headers"])
        if subject is None:
            args, kwargs, _ = json.loads(base64.b64decode(message["body"]))
            subject = subject_of_arguments(args, kwargs)
    except (ValueError, TypeError, LookupError, AttributeError):
        return None  # a message of another program
    return subject
