"""Check of messages, before a worker's consumer reads them.

Anyone who can write to a queue may put anything there. kombu and Celery raise at what they cannot read, in
the worker's event loop: the worker dies, and the message returns to its queue and kills the next one. So
every message is checked first for what those two take for granted, and no more: what Celery's clients send
passes.

A reason never quotes the message, which may hold words of a script.
"""

import binascii
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from celery.utils.time import maybe_iso8601

UNREADABLE = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)
"""Exceptions that reading a malformed message may raise."""
_NAME_MAX = 255
_RETRIES_MAX = 1_000_000
_SAFE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,79}")


class Fault(NamedTuple):
    """Part of a message that cannot be understood, and why."""

    part: str
    """envelope, properties, headers or body."""
    reason: str


Check = Callable[[Any], bool]


def is_text(value: Any) -> bool:
    """True for a short, non-empty text that can be written as UTF-8.

    >>> is_text("a"), is_text(""), is_text(5), is_text("a" * 300), is_text("\\ud800")
    (True, False, False, False, False)
    """
    if not isinstance(value, str) or not 0 < len(value) <= _NAME_MAX:
        return False
    return not any("\ud800" <= letter <= "\udfff" for letter in value)


def safe_name(value: Any) -> str | None:
    """A task's name if it is one and not, say, a sentence.

    >>> safe_name("voxchord.render"), safe_name("a secret word"), safe_name(None)
    ('voxchord.render', None, None)
    """
    return value if isinstance(value, str) and _SAFE_NAME.fullmatch(value) else None


def is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _RETRIES_MAX


def is_seconds(value: Any) -> bool:
    """True for a finite number of seconds that is not negative."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf


def is_moment(value: Any) -> bool:
    """True for a date and time that Celery reads.

    >>> is_moment("2026-11-27T04:00:00+00:00"), is_moment("soon"), is_moment(17)
    (True, False, False)
    """
    if not isinstance(value, str):
        return False
    try:
        maybe_iso8601(value)
    except UNREADABLE:
        return False
    return True


def is_signature(value: Any) -> bool:
    """True for a serialised signature, as far as its first level."""
    if not isinstance(value, Mapping) or not isinstance(value.get("task"), str):
        return False
    return all(isinstance(value.get(name) or kind(), kind) for name, kind in _ARGUMENTS.items())


_ARGUMENTS: Mapping[str, Any] = {"args": list, "kwargs": dict, "options": dict}


def _optional(check: Check) -> Check:
    return lambda value: value is None or check(value)


def list_of(check: Check) -> Check:
    return lambda value: isinstance(value, list | tuple) and all(map(check, value))


def _limits(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) == 2 and all(map(_optional(is_seconds), value))


def is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def is_str(value: Any) -> bool:
    return isinstance(value, str)


def _is_mapping(value: Any) -> bool:
    return isinstance(value, Mapping)


_TASK: Mapping[str, Check] = {"id": is_text, "task": is_text}
_OPTIONAL: Mapping[str, Check] = {
    "root_id": is_text,
    "parent_id": is_text,
    "group": is_text,
    "group_index": is_count,
    "shadow": is_str,
    "eta": is_moment,
    "expires": is_moment,
    "retries": is_count,
    "timelimit": _limits,
    "stamped_headers": list_of(is_text),
    "stamps": _is_mapping,
    "ignore_result": is_bool,
    "replaced_task_nesting": is_count,
    "compression": is_text,
}
"""Fields of a task's message; `None` is as good as none."""
_EMBEDDED: Mapping[str, Check] = {
    "callbacks": list_of(is_signature),
    "errbacks": list_of(is_signature),
    "chain": list_of(is_signature),
    "chord": is_signature,
}
_PROPERTIES: Mapping[str, Check] = {"correlation_id": is_str, "reply_to": is_str}


def _wrong(
    values: Mapping[Any, Any], required: Mapping[str, Check], optional: Mapping[str, Check]
) -> str | None:
    """Name of the first field that is missing or of a wrong type."""
    for name, check in required.items():
        if not check(values.get(name)):
            return name
    return next((name for name, check in optional.items() if not _optional(check)(values.get(name))), None)


def envelope_fault(raw: Any) -> Fault | None:
    """Fault in the parts that kombu's virtual transports read.

    Args:
        raw: a message as kombu stores it on Redis, decoded from JSON.
    """
    if not isinstance(raw, dict):
        return Fault("envelope", "is not an object")
    properties, headers = raw.get("properties"), raw.get("headers")
    if not isinstance(properties, dict):
        return Fault("properties", "are missing, or not an object")
    if headers is not None and not isinstance(headers, dict):
        return Fault("headers", "are not an object")
    if not is_text(properties.get("delivery_tag")):
        return Fault("properties", "have no delivery tag")
    place = properties.get("delivery_info")
    if not isinstance(place, dict) or not all(
        is_str(place.get(name)) for name in ("exchange", "routing_key")
    ):
        return Fault("properties", "name no exchange and routing key")
    return _encoding_fault(raw.get("body"), properties.get("body_encoding"))


def _encoding_fault(body: Any, encoding: Any) -> Fault | None:
    if body is not None and not isinstance(body, str):
        return Fault("body", "is not text")
    if encoding not in (None, "base64"):
        return Fault("body", "has an unknown encoding")
    if body and encoding == "base64":
        try:
            binascii.a2b_base64(body)
        except ValueError:
            return Fault("body", "is not base64")
    return None


def task_fault(headers: Any, properties: Any, payload: Any) -> Fault | None:
    """Fault in the parts of a task's message that Celery reads.

    Args:
        payload: the decoded body: a list in protocol 2; an object with all fields in protocol 1.
    """
    if not isinstance(headers, Mapping) or not isinstance(properties, Mapping):
        return Fault("headers", "are not an object")
    name = _wrong(properties, {}, _PROPERTIES)
    if name:
        return Fault("properties", f"{name} has a wrong type")
    if isinstance(payload, Mapping):
        fault = _fields_fault("body", payload)
        return fault or _arguments_fault(payload.get("args", []), payload.get("kwargs", {}), payload)
    fault = _fields_fault("headers", headers)
    if fault:
        return fault
    if not isinstance(payload, list | tuple) or len(payload) != 3:
        return Fault("body", "is not a list of arguments, keyword arguments and callbacks")
    return _arguments_fault(*payload)


def _fields_fault(part: str, fields: Mapping[Any, Any]) -> Fault | None:
    name = _wrong(fields, _TASK, _OPTIONAL)
    if name:
        return Fault(part, f"{name} is missing, or has a wrong type")
    stamps = fields.get("stamps") or {}
    if any(name not in stamps for name in fields.get("stamped_headers") or ()):
        return Fault(part, "stamps lack one of stamped_headers")
    return None


def header_fault(headers: Mapping[Any, Any]) -> Fault | None:
    """Fault in headers that a sender adds to those of a task, and that may replace them."""
    name = _wrong(headers, {}, {**_TASK, **_OPTIONAL})
    return Fault("headers", f"{name} has a wrong type") if name else None


def _arguments_fault(args: Any, kwargs: Any, embedded: Any) -> Fault | None:
    if not isinstance(args, list | tuple):
        return Fault("body", "the arguments are not a list")
    if not isinstance(kwargs, Mapping) or not all(isinstance(name, str) for name in kwargs):
        return Fault("body", "the keyword arguments are not an object")
    if embedded is not None and not isinstance(embedded, Mapping):
        return Fault("body", "the callbacks are not an object")
    name = _wrong(embedded or {}, {}, _EMBEDDED)
    return Fault("body", f"{name} has a wrong type") if name else None
