"""Synchronisation of a process' clock with the server of the results, which all processes share."""

import logging
from typing import Any

from redis.exceptions import RedisError

from pipeline import clock
from tasks.broker.result_backend import redis_client

_QUESTIONS = 5
log = logging.getLogger(__name__)


def synchronise(app: Any) -> None:
    """Ask the server for its time, and use the fastest of some answers; without any the clock stays."""
    client = redis_client(app)
    if client is None:
        return
    try:
        answers = [_answer(client) for _ in range(_QUESTIONS)]
    except (RedisError, OSError) as error:
        log.info("the server does not give its time: %s", type(error).__name__)
        return
    _, offset_s = min(answers)
    clock.adopt(offset_s)


def _answer(client: Any) -> tuple[float, float]:
    """Round trip of a question, and the offset of the server's clock in the middle of it."""
    asked_s = clock.since_boot()
    seconds, microseconds = client.time()
    answered_s = clock.since_boot()
    return answered_s - asked_s, seconds + microseconds / 1e6 - (asked_s + answered_s) / 2
