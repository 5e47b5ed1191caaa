"""Results of an app whose broker ends before it."""

from typing import Any

from celery import Celery


def close(app: Celery) -> None:
    """Close an app of which results are unfinished, before its broker ends.

    Celery keeps such results with their app. Collected later, they would unsubscribe, for which they try
    for twenty seconds to connect again.
    """
    backend: Any = app.backend
    backend.result_consumer.subscribed_to.clear()
    app.close()
