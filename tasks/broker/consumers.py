"""Queues that workers consume, and those that none does, as during an upgrade in the wrong order."""

from collections.abc import Collection

from celery import Celery

from tasks.broker.transport import counts

_REPLY_S = 1.0


def consumed(app: Celery, *, timeout_s: float) -> set[str] | None:
    """Queues of the workers that answer within this time; None if none answers."""
    replies = app.control.inspect(timeout=timeout_s).active_queues()
    if not replies:
        return None
    return {str(queue["name"]) for queues in replies.values() for queue in queues}


def unserved(app: Celery, queues: Collection[str]) -> list[str]:
    """Queues that no worker consumes, though workers answer; empty if none answers.

    Takes a second.
    """
    served = consumed(app, timeout_s=_REPLY_S)
    return [] if served is None else sorted(set(queues) - served)


def waiting_unserved(app: Celery, queues: Collection[str]) -> list[str]:
    """Queues with messages that no worker consumes."""
    with app.connection_for_read() as connection:
        waiting = [name for name, count in counts(connection, queues).items() if count]
    return unserved(app, waiting) if waiting else []
