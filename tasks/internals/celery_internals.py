"""Internals of Celery: requests, events, worker pools, results and chords."""

import logging
from collections.abc import Callable
from typing import Any

from celery.app import amqp, events
from celery.app.task import Task
from celery.backends import base as backends
from celery.backends.redis import RedisBackend
from celery.canvas import Signature, _chain
from celery.concurrency.asynpool import AsynPool
from celery.concurrency.base import BasePool
from celery.events import state as event_state
from celery.events.dispatcher import EventDispatcher
from celery.worker import control
from celery.worker import state as worker_state
from celery.worker.consumer import consumer as consumers
from celery.worker.request import Request

from pipeline import internals
from pipeline.internals import Internal

_REDACTION = "the redaction of arguments"
_LOG = "the redaction of message bodies in the log"
_DEATHS = "the record of why a process died"
_PARTS = "the termination of a job's tasks"
_STALL = "the stall watchdog"
_POOL = "the smallest size of a pool"
_BATCHING = "the batching of events"
_RESULTS = "the result backend that counts a chord's part first"
_CHORD = "the streamed chord"
_SEND_PARAMETERS = ("type", "blind", "utcoffset", "retry", "retry_policy", "Event", "fields")
_DONE_PARAMETERS = ("task_id", "result", "request", "store_result", "state")
_PART_PARAMETERS = ("request", "state", "result", "propagate", "kwargs")
_CHAIN_PARAMETERS = (
    *("args", "kwargs", "group_id", "chord", "task_id", "link", "link_error", "publisher", "producer"),
    *("root_id", "parent_id", "app", "group_index", "options"),
)

INTERNALS = (
    Internal(Request, "_argsrepr", _REDACTION),
    Internal(Request, "_kwargsrepr", _REDACTION),
    Internal(Request, "request_dict", _REDACTION),
    Internal(Request, "info", _REDACTION, ("safe",)),
    Internal(Request, "send_event", _REDACTION, ("type", "fields")),
    Internal(Task, "Request", _REDACTION),
    Internal(consumers, "UNKNOWN_FORMAT", _LOG),
    Internal(consumers, "UNKNOWN_TASK_ERROR", _LOG),
    Internal(consumers, "INVALID_TASK_ERROR", _LOG),
    Internal(consumers, "MESSAGE_DECODE_ERROR", _LOG),
    Internal(Request, "on_timeout", _DEATHS, ("soft", "timeout")),
    Internal(Request, "on_failure", _DEATHS, ("exc_info", "send_failed_event", "return_ok")),
    Internal(Request, "revoked", _PARTS, ()),
    Internal(Request, "terminate", _PARTS, ("pool", "signal")),
    Internal(Request, "time_start", _PARTS),
    Internal(Request, "worker_pid", _PARTS),
    Internal(BasePool, "terminate_job", _PARTS, ("pid", "signal")),
    Internal(EventDispatcher, "send", "the job and segment in events", _SEND_PARAMETERS),
    Internal(events.Events, "dispatcher_cls", "the job and segment in events"),
    Internal(event_state.Task, "_fields", "the state of Flower"),
    Internal(event_state.Worker, "_fields", "the state of Flower"),
    Internal(EventDispatcher, "on_send_buffered", _BATCHING),
    Internal(consumers.Consumer, "_flush_events_promise", _BATCHING),
    Internal(worker_state, "active_requests", _STALL),
    Internal(worker_state, "reserved_requests", _STALL),
    Internal(worker_state, "scheduled_requests", _STALL),
    Internal(worker_state, "revoked", "the report of revoked roots"),
    Internal(BasePool, "_pool", _STALL),
    Internal(BasePool, "num_processes", _STALL),
    Internal(AsynPool, "_fileno_to_outq", _STALL),
    Internal(control, "pool_shrink", _POOL, ("state", "n", "kwargs")),
    Internal(worker_state, "SOFTWARE_INFO", "the queues and device in heartbeats"),
    Internal(backends.Backend, "mark_as_done", _RESULTS, _DONE_PARAMETERS),
    Internal(RedisBackend, "on_chord_part_return", _RESULTS, _PART_PARAMETERS),
    Internal(backends.Backend, "_ensure_retryable", _RESULTS),
    Internal(backends, "_is_request_ignore_result", _RESULTS, ("request",)),
    Internal(RedisBackend, "set_chord_size", _CHORD, ("group_id", "chord_size")),
    Internal(_chain, "run", _CHORD, _CHAIN_PARAMETERS),
    Internal(Task, "on_replace", "the root task", ("sig",)),
    Internal(amqp.Queues, "new_missing", "the queues of devices", ("name",)),
    Internal(amqp.AMQP, "queues_cls", "the queues of devices"),
)


def check() -> None:
    """
    Raises:
        InternalsError: Celery lacks something that is used here.
    """
    internals.check("celery", INTERNALS)


def hide_arguments(request: Request, args: str, kwargs: str) -> None:
    """Replace the sender's representations of the arguments, in this process and in its children."""
    hidden: Any = request
    hidden._argsrepr, hidden._kwargsrepr = args, kwargs
    hidden.request_dict.update(argsrepr=args, kwargsrepr=kwargs)


def formats_with_bodies() -> dict[str, str]:
    """Log formats that Celery fills with a message's body, and what they report."""
    formats: Any = consumers
    return {
        formats.UNKNOWN_FORMAT: "a message that is no task was dropped",
        formats.UNKNOWN_TASK_ERROR: "a task of an unknown name was dropped",
        formats.INVALID_TASK_ERROR: "a task message that can't be read was dropped",
        formats.MESSAGE_DECODE_ERROR: "a message that can't be decoded was dropped",
    }


def consumer_logger() -> logging.Logger:
    return logging.getLogger(consumers.__name__)


def heartbeat_fields() -> dict[str, Any]:
    """Fields of this worker's heartbeats, to be added to."""
    return worker_state.SOFTWARE_INFO


def batch_events(consumer: Any, schedule: Callable[[Callable[[], None]], None]) -> None:
    """Send a worker's buffered events when `schedule` runs what it is given, instead of at once."""
    if consumer.hub is not None and consumer.event_dispatcher:
        consumer.event_dispatcher.on_send_buffered = lambda: schedule(consumer._flush_events_promise)


def active_requests() -> set[Any]:
    return set(worker_state.active_requests)


def reserved_requests() -> set[Any]:
    """All requests that the worker holds, also active ones."""
    return set(worker_state.reserved_requests)


def scheduled_requests() -> set[Any]:
    """Requests with a countdown."""
    return set(worker_state.scheduled_requests)  # type: ignore[attr-defined]  # new in 5.7, the stubs are older


def revoked_ids() -> set[str]:
    """IDs of the tasks that this worker shall drop, or found expired."""
    return {each for each in worker_state.revoked if isinstance(each, str)}


def slots(consumer: Any) -> int:
    """Tasks that the worker's pool runs at once."""
    return int(consumer.pool.num_processes)


def result_pipes(consumer: Any) -> list[int]:
    """File descriptors of the results of a prefork pool's processes; none for other pools."""
    pool: Any = consumer.pool._pool
    is_prefork = isinstance(pool, AsynPool)
    return list(pool._fileno_to_outq) if is_prefork else []


def pool_shrink(state: Any, n: int, **options: Any) -> dict[str, Any]:
    """Shrink a pool as Celery's remote control command does."""
    commands: Any = control
    answer: dict[str, Any] = commands.pool_shrink(state, n, **options)
    return answer


def replace_pool_shrink(command: Callable[..., dict[str, Any]]) -> None:
    """Replace the remote control command `pool_shrink` in this process."""
    panel: Any = control.Panel
    panel.register(name="pool_shrink", args=[("n", int)], signature="[N=1]")(command)


def ignores_result(request: Any) -> bool:
    ignores: Callable[[Any], bool] = backends._is_request_ignore_result  # type: ignore[attr-defined]  # private
    return ignores(request)


def retried(backend: Any, method: Callable[..., Any], *args: Any, max_retries: int, **options: Any) -> None:
    """Call a method of a result backend with its retries."""
    backend._ensure_retryable(method, *args, max_retries=max_retries, **options)


def begin_chord(backend: Any, group_id: str, size: int) -> None:
    """Set the number of parts of a chord before any of them is sent."""
    backend.set_chord_size(group_id, size)


def send_part(
    steps: Signature[Any], body: Signature[Any], *, group_id: str, index: int, root_id: str, producer: Any
) -> None:
    """Send a chain as one part of a chord."""
    steps.apply_async(
        producer=producer,
        add_to_parent=False,
        chord=body,
        group_id=group_id,
        group_index=index,
        root_id=root_id,
        parent_id=root_id,
    )


def task_fields() -> tuple[str, ...]:
    """Fields of a task in the state that events are collected in."""
    fields: tuple[str, ...] = event_state.Task._fields  # type: ignore[attr-defined]  # missing in celery-types
    return fields


def worker_fields() -> tuple[str, ...]:
    """Fields of a worker in the state that events are collected in."""
    fields: tuple[str, ...] = event_state.Worker._fields  # type: ignore[attr-defined]  # as above
    return fields
