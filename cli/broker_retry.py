"""Patience with a broker that is away: it restarts, and a job goes on without whoever waits for it."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from cli.errors import Unreachable

if TYPE_CHECKING:
    from celery import Celery

T = TypeVar("T")

AWAY_MAX_S = 600.0


class Patience:
    """Asks a broker, and lets it be away for a while."""

    def __init__(self, app: "Celery") -> None:
        self.errors = _errors(app)
        """What says that it is away."""
        self.away_since: float | None = None

    def ask(self, question: Callable[[], T]) -> T | None:
        """The answer; None where nobody answers just now.

        Raises:
            Unreachable: nobody has answered for ten minutes.
        """
        try:
            answer = question()
        except self.errors:
            now = time.monotonic()
            self.away_since = self.away_since or now
            if now - self.away_since > AWAY_MAX_S:
                raise Unreachable(
                    f"the broker has not answered for {AWAY_MAX_S / 60:.0f} min; the same command asks again"
                ) from None
            return None
        self.away_since = None
        return answer


def reach(app: "Celery") -> bool:
    """True, or what says that the broker is away; to send would end in a RuntimeError of Celery's."""
    with app.connection_for_write() as connection, connection.channel():
        return True


def _errors(app: "Celery") -> tuple[type[BaseException], ...]:
    from kombu.exceptions import OperationalError
    from redis.exceptions import ConnectionError as Gone
    from redis.exceptions import TimeoutError as Silent

    with app.connection_for_read() as connection:
        return (OperationalError, Gone, Silent, *connection.connection_errors)
