"""Redis result backend that counts a chord's part before it stores SUCCESS.

Celery 5.7 stores SUCCESS first (backends/base.py, mark_as_done). A process that dies in between leaves a task
that looks finished and a chord that waits for ever. Counting twice is safe, since parts are keyed by task and
index. So the part is counted first, and retried while Redis is unreachable.
"""

from typing import Any

from celery import Celery
from celery.backends.redis import RedisBackend, SentinelBackend

from tasks.internals import celery_internals

_PART_RETRIES = 200


def redis_client(app: Celery) -> Any | None:
    """Client of the result backend's Redis; None if results are stored elsewhere, as in a test."""
    backend: Any = app.backend
    return backend.client if isinstance(backend, RedisBackend) else None


class _PartFirst(RedisBackend):
    """Redis backend that counts the chord part first."""

    def mark_as_done(
        self,
        task_id: str,
        result: Any,
        request: Any = None,
        store_result: bool = True,
        state: str = "SUCCESS",
    ) -> None:
        if request and request.chord:
            self.on_chord_part_return(request, state, result)
        if store_result and not celery_internals.ignores_result(request):
            self.store_result(task_id, result, state, request=request)

    def on_chord_part_return(
        self, request: Any, state: str, result: Any, propagate: bool | None = None, **kwargs: Any
    ) -> None:
        count, options = super().on_chord_part_return, {"propagate": propagate, **kwargs}
        celery_internals.retried(self, count, request, state, result, max_retries=_PART_RETRIES, **options)


class ReliableRedisBackend(_PartFirst):
    """`result_backend = "tasks.broker.result_backend:ReliableRedisBackend+redis://…"`."""


class ReliableSentinelBackend(_PartFirst, SentinelBackend):
    """Backend behind Sentinels: `…:ReliableSentinelBackend+sentinel://a:26379;sentinel://b:26379`."""


class _Polled(RedisBackend):
    """Redis backend of a process that polls for results from many threads.

    Celery subscribes to the result of every task that a process sends, on one connection per thread, which
    nobody reads here.
    """

    def on_task_call(self, producer: Any, task_id: str) -> None:
        return


class PolledRedisBackend(_Polled):
    """Backend of the HTTP service."""


class PolledSentinelBackend(_Polled, SentinelBackend):
    """Backend of the HTTP service behind Sentinels."""


def polled(url: str) -> str:
    """Name of the backend of a process that polls, from that of a worker.

    >>> polled("tasks.broker.result_backend:ReliableRedisBackend+redis://host/0")
    'tasks.broker.result_backend:PolledRedisBackend+redis://host/0'
    """
    return url.replace(":Reliable", ":Polled", 1)
