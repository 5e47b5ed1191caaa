"""Reason why a broker takes no messages now, found by a write of a short-lived key."""

from typing import Any

from celery import Celery
from kombu.exceptions import OperationalError
from redis import exceptions

from tasks.internals import kombu_internals

_TIMEOUT_S = 3
_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (exceptions.ReadOnlyError, "the broker is a read-only replica"),
    (exceptions.OutOfMemoryError, "the broker's memory is full"),
    (exceptions.BusyLoadingError, "the broker is loading its data"),
    (exceptions.AuthenticationError, "the broker refuses the password"),
)


def refusal(app: Celery) -> str | None:
    """Reason why the broker refuses writes; None if it takes them, or tells nothing before one (AMQP)."""
    connection: Any = app.connection_for_write()
    try:
        connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0, timeout=_TIMEOUT_S)
        with connection.channel() as channel:
            if kombu_internals.is_redis(channel):
                channel.client.set("voxchord.probe", b"", ex=60)
    except (OperationalError, exceptions.RedisError, *connection.connection_errors) as error:
        return _sentence(error)
    finally:
        connection.release()
    return None


def _sentence(error: BaseException) -> str:
    for each in _causes(error):
        for kind, reason in _REASONS:
            if isinstance(each, kind):
                return reason
        if "MISCONF" in str(each):
            return "the broker cannot save to its disk"
        if "max number of clients" in str(each):
            return "the broker has too many clients"
    return "the broker does not answer"


def _causes(error: BaseException | None) -> list[BaseException]:
    """An error and those that it was raised from."""
    return [] if error is None else [error, *_causes(error.__cause__ or error.__context__)]
