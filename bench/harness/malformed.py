"""Malformed messages by name, as any client of a Redis broker can send them."""

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any
from uuid import uuid4

Message = Callable[[str], bytes]
"""Message for a queue, as kombu stores it."""


def envelope(
    queue: str,
    *,
    headers: Mapping[str, Any] | None = None,
    without: str | None = None,
    properties: Mapping[str, Any] | None = None,
    body: bytes | None = None,
    **fields: Any,
) -> bytes:
    """Message of a sound render, with changes.

    Args:
        headers: changed headers.
        without: a header to leave out.
        properties: changed properties.
        body: the body, before base64.
        fields: changed fields of the envelope.
    """
    task_id = str(uuid4())
    sound = {
        "lang": "py",
        "task": "voxchord.render",
        "id": task_id,
        "root_id": task_id,
        "parent_id": None,
        "group": None,
        "retries": 0,
        "timelimit": [None, None],
        "eta": None,
        "expires": None,
        **(headers or {}),
    }
    if without:
        del sound[without]
    text = json.dumps([[], {"script": f"Anna: {task_id}"}, {}]).encode() if body is None else body
    envelope = {
        "body": base64.b64encode(text).decode(),
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": sound,
        "properties": {
            "correlation_id": task_id,
            "body_encoding": "base64",
            "delivery_tag": str(uuid4()),
            "delivery_info": {"exchange": "", "routing_key": queue},
            **(properties or {}),
        },
        **fields,
    }
    return json.dumps(envelope).encode()


def _raw(message: bytes) -> Message:
    return lambda queue: message


def _with(**changes: Any) -> Message:
    return lambda queue: envelope(queue, **changes)


MALFORMED: Mapping[str, Message] = {
    "not JSON": _raw(b"\xff\xfe{"),
    "a number": _raw(b"42"),
    "null": _raw(b"null"),
    "a list": _raw(b"[]"),
    "an empty object": _raw(b"{}"),
    "deep JSON": _raw(b"[" * 100_000),
    "unknown type of kombu": _raw(b'{"__type__": [], "__value__": {}}'),
    "headers that are text": lambda queue: _changed(queue, headers="boo"),
    "no delivery tag": _with(properties={"delivery_tag": None}),
    "a delivery tag that is a list": _with(properties={"delivery_tag": [1]}),
    "no delivery info": _with(properties={"delivery_info": None}),
    "unknown body encoding": _with(properties={"body_encoding": "rot13"}),
    "a reply queue that is a list": _with(properties={"reply_to": [1]}),
    "body not base64": lambda queue: _changed(queue, body="A"),
    "body an object": lambda queue: _changed(queue, body={"a": 1}),
    "body not JSON": _with(body=b"{{{"),
    "body a number": _with(body=b"7"),
    "body null": _with(body=b"null"),
    "body short": _with(body=b"[[]]"),
    "body with text for arguments": _with(body=b'["args", {}, {}]'),
    "body with a list of keyword arguments": _with(body=b"[[], [1], {}]"),
    "body with text for callbacks": _with(body=b'[[], {}, "x"]'),
    "body not UTF-8": _with(body=b'[[], {"script": "\xff\xfe"}, {}]'),
    "callbacks that are numbers": _with(body=b'[[], {}, {"callbacks": [5], "errbacks": 7}]'),
    "a chord that is text": _with(body=b'[[], {}, {"chord": "boo"}]'),
    "a chain of numbers": _with(body=b'[[], {}, {"chain": [5]}]'),
    "content type null": lambda queue: _changed(queue, **{"content-type": None}),
    "content type pickle": lambda queue: _changed(
        queue, **{"content-type": "application/x-python-serialize"}
    ),
    "content type unknown": lambda queue: _changed(queue, **{"content-type": "application/x-nothing"}),
    "content encoding null": lambda queue: _changed(queue, **{"content-encoding": None}),
    "no ID": _with(without="id"),
    "ID null": _with(headers={"id": None}),
    "ID a number": _with(headers={"id": 7}),
    "ID a list": _with(headers={"id": ["a"]}),
    "ID a surrogate": _with(headers={"id": "\ud800"}),
    "task null": _with(headers={"task": None}),
    "task a list": _with(headers={"task": ["a"]}),
    "root a list": _with(headers={"root_id": [1]}),
    "group a list": _with(headers={"group": ["x"]}),
    "retries text": _with(headers={"retries": "many"}),
    "retries huge": _with(headers={"retries": 10**30}),
    "time limits text": _with(headers={"timelimit": "ab"}),
    "time limits of text": _with(headers={"timelimit": ["x", "y"]}),
    "one time limit": _with(headers={"timelimit": [1]}),
    "stamped headers a number": _with(headers={"stamped_headers": 7, "stamps": 5}),
    "stamped headers without stamps": _with(headers={"stamped_headers": ["a"], "stamps": {}}),
    "ETA garbage": _with(headers={"eta": "soon"}),
    "ETA a number": _with(headers={"eta": 17}),
    "expiry a list": _with(headers={"expires": [1]}),
    "nesting text": _with(headers={"replaced_task_nesting": "x"}),
    "unknown compression": _with(headers={"compression": "brrr"}),
    "wrong compression": _with(headers={"compression": "application/x-gzip"}),
    "protocol 1 without arguments": lambda queue: envelope(
        queue, without="task", body=b'{"task": "voxchord.render"}'
    ),
    "protocol 1 with numbers for arguments": lambda queue: envelope(
        queue, without="task", body=b'{"task": "voxchord.render", "id": "z", "args": 5, "kwargs": 5}'
    ),
}


def _changed(queue: str, **fields: Any) -> bytes:
    return json.dumps({**json.loads(envelope(queue)), **fields}).encode()
