"""Check of the options with which Flower's API sends a task.

Flower passes all of them to `Celery.send_task`, which writes what it is given into the message. Options that
Celery documents pass if their types are right.
"""

from collections.abc import Mapping
from typing import Any

from tasks.broker.screening import (
    Check,
    header_fault,
    is_bool,
    is_count,
    is_moment,
    is_seconds,
    is_signature,
    is_str,
    is_text,
    list_of,
)

_PRIORITY_MAX = 255


def _expiry(value: Any) -> bool:
    """True for seconds, also as text as Flower's page sends them, or a date and time."""
    if is_seconds(value) or is_moment(value):
        return True
    return isinstance(value, str) and value.replace(".", "", 1).isdecimal()


def _signatures(value: Any) -> bool:
    return is_signature(value) or list_of(is_signature)(value)


def _priority(value: Any) -> bool:
    return is_count(value) and value <= _PRIORITY_MAX


OPTIONS: Mapping[str, Check] = {
    **dict.fromkeys(
        ("queue", "exchange", "routing_key", "exchange_type", "reply_to", "compression"), is_text
    ),
    **dict.fromkeys(("task_id", "root_id", "parent_id", "group_id"), is_text),
    **dict.fromkeys(("shadow", "argsrepr", "kwargsrepr"), is_str),
    **dict.fromkeys(("countdown", "time_limit", "soft_time_limit"), is_seconds),
    **dict.fromkeys(("ignore_result", "retry", "add_to_parent", "mandatory"), is_bool),
    **dict.fromkeys(("link", "link_error"), _signatures),
    "chain": list_of(is_signature),
    "chord": is_signature,
    "eta": is_moment,
    "expires": _expiry,
    "priority": _priority,
    "delivery_mode": lambda value: value in (1, 2),
    "retries": is_count,
    "group_index": is_count,
    "serializer": lambda value: value == "json",
    "headers": lambda value: isinstance(value, Mapping) and header_fault(value) is None,
    "stamped_headers": list_of(is_text),
}
"""Options of `send_task` that a request may have, and the check of each; `null` is as good as none."""


def problem(kwargs: Any, options: Mapping[str, Any]) -> str | None:
    """Reason why a request is refused; None if it is sound.

    >>> problem({}, {"queue": "voxchord", "countdown": 2, "stamped_headers": ["who"], "who": "me"})
    >>> problem({}, {"headers": {"id": [1]}}), problem({}, {"time_limit": [1]})
    ("option 'headers' has a wrong value", "option 'time_limit' has a wrong value")
    >>> problem({}, {"connection": "amqp://"}), problem([1], {})
    ("unknown option 'connection'", 'kwargs must be an object')
    """
    if not isinstance(kwargs, Mapping):
        return "kwargs must be an object"
    stamps = options.get("stamped_headers")
    known = {*OPTIONS, *(stamps if isinstance(stamps, list) and all(map(is_text, stamps)) else ())}
    for name, value in options.items():
        if name not in known:
            return f"unknown option {name[:40]!r}"
        if name in OPTIONS and value is not None and not OPTIONS[name](value):
            return f"option {name!r} has a wrong value"
    missing = [stamp for stamp in stamps or () if stamp not in options]
    return f"stamp {missing[0][:40]!r} has no value" if missing else None
