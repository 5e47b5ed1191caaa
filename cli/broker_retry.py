"""Retry while the broker is unreachable: it may restart, and jobs continue without their clients."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from cli.errors import Unreachable

if TYPE_CHECKING:
    from celery import Celery

T = TypeVar("T")

AWAY_MAX_S = 600.0


class BrokerRetry:
    """Calls functions that need the broker, and tolerates that it is unreachable for a while."""

    def __init__(self, app: "Celery") -> None:
        self.errors = _errors(app)
        """Exceptions that mean the broker is unreachable."""
        self.away_since: float | None = None

    def call(self, function: Callable[[], T]) -> T | None:
        """Call the function; None if the broker is unreachable now.

        Raises:
            Unreachable: the broker has been unreachable for ten minutes.
        """
        try:
            answer = function()
        except self.errors:
            now = time.monotonic()
            self.away_since = self.away_since or now
            if now - self.away_since > AWAY_MAX_S:
                raise Unreachable(
                    f"the broker has been unreachable for {AWAY_MAX_S / 60:.0f} min; run the command again"
                ) from None
            return None
        self.away_since = None
        return answer


def reach(app: "Celery") -> bool:
    """Connect to the broker, since sending without one ends in a RuntimeError of Celery; returns True."""
    with app.connection_for_write() as connection, connection.channel():
        return True


def _errors(app: "Celery") -> tuple[type[BaseException], ...]:
    from kombu.exceptions import OperationalError
    from redis.exceptions import ConnectionError as Gone
    from redis.exceptions import TimeoutError as Silent

    with app.connection_for_read() as connection:
        return (OperationalError, Gone, Silent, *connection.connection_errors)
