"""Identity of an attempt and its waits, from Celery's request and our message headers."""

import math
import os
from datetime import datetime
from typing import Any

from celery import Task

from pipeline import clock
from tasks.message_headers import CLOCK, FIRST_PUBLISHED, PUBLISHED, RECEIVED

STATS_VERSION = 2
"""Version of the way of measuring; raised when a figure changes its meaning."""
_SKEW_S = 0.02
"""Difference of clocks that is reported; synchronised ones differ by less."""

Row = dict[str, Any]


def stamp_published(headers: Row | None = None, **_: Any) -> None:
    """Add the send time and the task's first send time (handler of `before_task_publish`)."""
    if headers is None or "id" not in headers:
        return
    now = clock.now()
    headers[PUBLISHED] = now
    first = headers.get(FIRST_PUBLISHED)
    if not (isinstance(first, list) and len(first) == 2 and first[0] == headers["id"]):
        headers[FIRST_PUBLISHED] = [headers["id"], now]


def stamp_received(request: Any = None, **_: Any) -> None:
    """Add the receive time and the clock to the request, for the child (handler of `task_received`)."""
    request.request_dict[RECEIVED] = clock.now()
    request.request_dict[CLOCK] = clock.offset()


def adopt_clock(request: Any) -> None:
    """Take over the clock of the worker's main process, which overwrites what a sender may have given."""
    clock.adopt(_number(getattr(request, CLOCK, None)))


def identity(task: Task[Any, Any], started: float) -> Row:
    """Columns that are known before the body runs, and written to the flight recorder."""
    request = task.request
    delivery = request.delivery_info or {}
    hard, soft = request.timelimit or (None, None)
    return {
        "attempt_uid": make_uid(started),
        "task_id": request.id,
        "root_id": request.root_id,
        "parent_id": request.parent_id,
        "group_id": request.group,
        "attempt": request.retries,
        "redelivered": int(bool(delivery.get("redelivered"))),
        "delivery_no": _delivery_no(getattr(request, "properties", None)),
        "task_name": task.name,
        "queue": delivery.get("routing_key"),
        "priority": delivery.get("priority"),
        "stats_version": STATS_VERSION,
        **({"worker": request.hostname} if request.hostname else {}),
        "max_retries": task.max_retries,
        "soft_limit_s": soft or task.soft_time_limit,
        "hard_limit_s": hard or task.time_limit,
        "started_at": started,
        "started_epoch": int(started),
        **_waits(request, started),
    }


def _waits(request: Any, started: float) -> Row:
    """Waits in the broker and in the worker. Time before an ETA does not count."""
    published = _number(getattr(request, PUBLISHED, None))
    received = _number(getattr(request, RECEIVED, None))
    first = getattr(request, FIRST_PUBLISHED, None)
    eta = _moment(request.eta)
    row: Row = {
        "published_at": published,
        "first_published_at": _number(first[1]) if isinstance(first, list) and len(first) == 2 else None,
        "eta_at": eta,
        "received_at": received,
    }
    if received is None:
        return row
    row["prefetch_wait_s"] = max(0.0, started - max(received, eta or 0.0))
    if published is not None and not (request.delivery_info or {}).get("redelivered"):
        # redelivered: the time when it returned to the queue is unknown
        row["broker_wait_s"] = max(0.0, received - max(published, eta or 0.0))
        row["queue_wait_s"] = row["broker_wait_s"] + row["prefetch_wait_s"]
        row["clock_skew"] = int(published - received > _SKEW_S)
    return row


def _delivery_no(properties: Any) -> int | None:
    """Number of this delivery, which RabbitMQ's quorum queues count."""
    headers = (properties or {}).get("application_headers") or {} if isinstance(properties, dict) else {}
    earlier = headers.get("x-delivery-count")
    return earlier + 1 if isinstance(earlier, int) else None


def _number(value: Any) -> float | None:
    """A finite number, or None: headers of other programs may hold anything."""
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _moment(eta: Any) -> float | None:
    if isinstance(eta, str):
        try:
            eta = datetime.fromisoformat(eta)
        except ValueError:
            return None
    return eta.timestamp() if isinstance(eta, datetime) else None


def since(start: float | None, end: float) -> float | None:
    return max(0.0, end - start) if start is not None else None


def make_uid(now: float) -> str:
    """UUID version 7 (RFC 9562), ordered by time."""
    number = int(now * 1000) << 80 | int.from_bytes(os.urandom(10))
    number = number & ~(0xF << 76) | 0x7 << 76
    text = f"{number & ~(0x3 << 62) | 0x2 << 62:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
