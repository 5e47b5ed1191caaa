"""Queues that hold messages while no worker consumes them, as during an upgrade in the wrong order."""

from collections.abc import Collection

from celery import Celery

from tasks.broker.transport import counts

_REPLY_S = 1.0


def unserved(app: Celery, queues: Collection[str]) -> list[str]:
    """Queues that no worker consumes, though workers answer; empty if none answers.

    Takes a second.
    """
    replies = app.control.inspect(timeout=_REPLY_S).active_queues()
    if not replies:
        return []
    served = {queue["name"] for consumed in replies.values() for queue in consumed}
    return sorted(set(queues) - served)


def waiting_unserved(app: Celery, queues: Collection[str]) -> list[str]:
    """Queues with messages that no worker consumes."""
    with app.connection_for_read() as connection:
        waiting = [name for name, count in counts(connection, queues).items() if count]
    return unserved(app, waiting) if waiting else []
