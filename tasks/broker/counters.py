"""Counters of rare events that any process of any worker may count, kept in the result backend's Redis."""

from typing import Any

from celery import Celery
from celery.backends.redis import RedisBackend

_KEY = "voxchord.counters"
NOT_RESUMED = "not_resumed"
"""Failed attempts of the reconciler at resuming a job."""
DEAD_LETTERS = "dead_letters."
"""Prefix; messages taken off a queue because they cannot be understood, by the part at fault."""


def client(app: Celery) -> Any | None:
    """Client of the result backend's Redis; None if results are stored elsewhere, as in a test."""
    backend: Any = app.backend
    return backend.client if isinstance(backend, RedisBackend) else None


def add(app: Celery, name: str) -> None:
    """Count one event."""
    redis = client(app)
    if redis is not None:
        redis.hincrby(_KEY, name, 1)


def read(app: Celery) -> dict[str, int]:
    """Counts by name."""
    redis = client(app)
    found = redis.hgetall(_KEY) if redis is not None else {}
    return {name.decode(): int(count) for name, count in found.items()}
