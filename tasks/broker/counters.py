"""Counters of rare events that any process of any worker may count, stored in the result backend's Redis."""

from celery import Celery

from tasks.broker.result_backend import redis_client

_KEY = "voxchord.counters"
NOT_RESUMED = "not_resumed"
"""Failed attempts of the reconciler at resuming a job."""
DEAD_LETTERS = "dead_letters."
"""Prefix; messages taken off a queue because they cannot be understood, by the part at fault."""


def add(app: Celery, name: str) -> None:
    """Count one event."""
    redis = redis_client(app)
    if redis is not None:
        redis.hincrby(_KEY, name, 1)


def read(app: Celery) -> dict[str, int]:
    """Counts by name."""
    redis = redis_client(app)
    found = redis.hgetall(_KEY) if redis is not None else {}
    return {name.decode(): int(count) for name, count in found.items()}
