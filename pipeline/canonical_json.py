"""Canonical JSON, in which equal values have equal bytes and hashes."""

import json
from typing import Any


def canonical_json(value: Any) -> bytes:
    """Serialise a value with sorted keys and without spaces.

    >>> canonical_json({"b": 1, "a": "é"}).decode()
    '{"a":"é","b":1}'
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
