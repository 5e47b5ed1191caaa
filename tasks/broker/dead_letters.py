"""Dead letters: messages that were taken off a queue because they cannot be understood.

The list is bounded and stored in the result backend's Redis. An entry says where the message came from and
what is wrong with it, and holds none of its words. A message that is not too large is stored beside its
entry, where no command, page or log shows it, so that `requeue` can put it back.
"""

import base64
import json
import logging
from dataclasses import asdict, dataclass
from typing import Any
from uuid import uuid4

import redis
from celery import Celery
from kombu.exceptions import OperationalError

from pipeline import clock
from pipeline.stored_records import known
from tasks.broker import counters
from tasks.broker.result_backend import redis_client
from tasks.broker.screening import Fault, is_text, safe_name
from tasks.internals import kombu_internals

log = logging.getLogger(__name__)

ENTRIES_MAX = 1000
STORED_BYTES_MAX = 64 * 1024
"""Size of the largest message that is stored; a thousand of them take 64 MiB."""
_STORED_S = 7 * 24 * 3600
"""Time after the last dead letter for which messages are stored."""
_ENTRIES, _MESSAGES = "voxchord.dead_letters", "voxchord.dead_letters.messages"
_AWAY = (redis.RedisError, OperationalError)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Entry of the list."""

    id: str
    at: float
    """Seconds since the epoch."""
    queue: str
    part: str
    reason: str
    bytes: int
    stored: bool
    """True if the message is stored and can be requeued."""
    task_id: str | None = None
    task: str | None = None


def add(
    app: Celery, queue: str, message: bytes, fault: Fault, *, task_id: Any = None, task: Any = None
) -> DeadLetter:
    """Record a message that was taken off a queue, and count it.

    Args:
        message: as it can be put back (see `requeue`).
    """
    entry = DeadLetter(
        id=uuid4().hex[:12],
        at=round(clock.now(), 3),
        queue=queue,
        part=fault.part,
        reason=fault.reason,
        bytes=len(message),
        stored=len(message) <= STORED_BYTES_MAX,
        task_id=task_id if is_text(task_id) else None,
        task=safe_name(task),
    )
    about = {"queue": queue, "part": fault.part, "reason": fault.reason, "dead_letter": entry.id}
    log.warning("a message was taken off queue %s: its %s %s", queue, fault.part, fault.reason, extra=about)
    client = redis_client(app)
    if client is not None:
        try:
            _write(client, entry, message)
            counters.add(app, counters.DEAD_LETTERS + fault.part)
        except _AWAY as error:
            log.error("a dead letter could not be recorded: %s", type(error).__name__, extra=about)
    return entry


def _write(client: Any, entry: DeadLetter, message: bytes) -> None:
    with client.pipeline() as pipe:
        if entry.stored:
            pipe.hset(_MESSAGES, entry.id, base64.b64encode(message))
            pipe.expire(_MESSAGES, _STORED_S)
        pipe.lpush(_ENTRIES, json.dumps(asdict(entry)))
        pipe.lrange(_ENTRIES, ENTRIES_MAX, -1)
        pipe.ltrim(_ENTRIES, 0, ENTRIES_MAX - 1)
        _, oldest = pipe.execute()[-3:-1]
    if oldest:
        client.hdel(_MESSAGES, *(json.loads(each)["id"] for each in oldest))


def entries(app: Celery) -> list[DeadLetter]:
    """All entries, the latest first."""
    client = redis_client(app)
    found = client.lrange(_ENTRIES, 0, -1) if client is not None else []
    return [known(DeadLetter, json.loads(each)) for each in found]


def count(app: Celery) -> int:
    client = redis_client(app)
    return int(client.llen(_ENTRIES)) if client is not None else 0


def find(app: Celery, wanted: str) -> list[DeadLetter]:
    """Entries whose ID, or task ID, is or begins with a text."""
    return [
        each for each in entries(app) if each.id.startswith(wanted) or (each.task_id or "").startswith(wanted)
    ]


def drop(app: Celery, *dropped: DeadLetter) -> None:
    """Remove entries and their messages."""
    client = redis_client(app)
    if client is None or not dropped:
        return
    ids = {entry.id for entry in dropped}
    with client.pipeline() as pipe:
        for each in client.lrange(_ENTRIES, 0, -1):
            if json.loads(each)["id"] in ids:
                pipe.lrem(_ENTRIES, 1, each)
        pipe.hdel(_MESSAGES, *ids)
        pipe.execute()


def requeue(app: Celery, entry: DeadLetter) -> bool:
    """Put a message back in its queue and remove its entry; False if the message was not stored."""
    client = redis_client(app)
    message = client.hget(_MESSAGES, entry.id) if client is not None else None
    if message is None:
        return False
    with app.connection_for_write() as connection:
        kombu_internals.put_back(connection.default_channel, entry.queue, base64.b64decode(message))
    drop(app, entry)
    return True
