"""Answers of a speech server that are no audio: which may pass on another attempt, and which will not.

Servers quote the text of a request in their errors, so nothing of a body is repeated but identifiers of
errors (`type`, `code` and `param`).
"""

import email.utils
import json
import re
import time
from collections.abc import Mapping
from enum import Enum
from typing import Any

_IDENTIFIER = re.compile(r"[A-Za-z0-9_.-]{1,60}")
_PASSING = re.compile(
    r"rate.?limit|overload|unavailable|time.?out|server.?error|internal|busy", re.IGNORECASE
)
"""Types and codes of errors that another attempt may not meet."""
_USED_UP = ("insufficient_quota", "billing_hard_limit_reached")
"""Codes of a 429 that no waiting ends."""
_ADVICE = {
    400: "it does not take the model, the voice, the format, the speed or an option",
    401: "set VOXCHORD_OPENAI_KEY to a valid key",
    403: "the key of VOXCHORD_OPENAI_KEY may not use it",
    404: "it lacks the path or the model; correct VOXCHORD_OPENAI_URL or VOXCHORD_OPENAI_MODEL",
    405: "it lacks the path; correct VOXCHORD_OPENAI_URL, which ends with /v1",
    413: "lower VOXCHORD_OPENAI_CHARACTERS_MAX",
    422: "it does not take the model, the voice, the format, the speed or an option",
}


class Kind(Enum):
    """Kind of a failure that may pass."""

    BUSY = "busy"
    """The server has too much to do and says when to ask again."""
    AWAY = "away"
    """It cannot be reached, or a proxy cannot reach it: it may be starting."""
    FAULT = "fault"
    """This request failed; the next one may not."""


class TroubleError(Exception):
    """A failure that may pass.

    Args:
        reason: follows the server's name.
        wait_s: wait that the server asks for.
    """

    def __init__(self, reason: str, kind: Kind = Kind.FAULT, wait_s: float | None = None) -> None:
        super().__init__(reason, kind, wait_s)
        self.reason, self.kind, self.wait_s = reason, kind, wait_s


class RefusalError(Exception):
    """A failure that another attempt would repeat.

    Args:
        reason: follows the server's name.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def failure(status: int, headers: Mapping[str, str], body: bytes) -> TroubleError | RefusalError:
    """Sort an answer with an error status.

    >>> failure(401, {}, b"").reason
    'answers 401; set VOXCHORD_OPENAI_KEY to a valid key'
    """
    named = _named(_error_of(body))
    said = f"answers {status}" + (f" ({named})" if named else "")
    wait_s = retry_after_s(headers.get("retry-after"))
    if status == 429:
        if any(code in named for code in _USED_UP):
            return RefusalError(f"{said}; its account is used up")
        return TroubleError(said, Kind.BUSY, wait_s)
    if status == 503 and wait_s is not None:
        return TroubleError(said, Kind.BUSY, wait_s)
    if status in (502, 503, 504):
        return TroubleError(said, Kind.AWAY)
    if status >= 500 or status in (408, 425):
        return TroubleError(said, wait_s=wait_s)
    return RefusalError(f"{said}; {_ADVICE.get(status, 'see its log')}")


def error_in_body(content_type: str, body: bytes) -> TroubleError | RefusalError | None:
    """Error that came with a status of success; None if the body may be audio."""
    kind = content_type.partition(";")[0].strip().lower()
    error = _error_of(body) if kind == "application/json" or body[:1] in (b"{", b"[") else None
    if error is not None:
        status = error.get("code") or error.get("status")
        if isinstance(status, str) and status.isdecimal():
            status = int(status)
        if isinstance(status, int) and 400 <= status <= 599:
            return failure(status, {}, body)
        named = _named(error)
        said = f"answers an error with status 200{f' ({named})' if named else ''}"
        return TroubleError(said) if _PASSING.search(named) else RefusalError(f"{said}; see its log")
    if kind == "application/json" or kind.startswith("text/"):
        shown = kind if _IDENTIFIER.fullmatch(kind.replace("/", ".")) else "text"
        return RefusalError(f"answers with {shown} in place of audio; is VOXCHORD_OPENAI_URL right?")
    return None


def retry_after_s(value: str | None) -> float | None:
    """Seconds of a Retry-After header, which has a number or a date; None if there is none.

    >>> retry_after_s("2"), retry_after_s("soon"), retry_after_s("Thu, 01 Jan 1970 00:00:00 GMT")
    (2.0, None, 0.0)
    """
    if value is None:
        return None
    if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", value.strip()):
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None


def _error_of(body: bytes) -> dict[str, Any] | None:
    """Error in a body of JSON, in the shapes of OpenAI and FastAPI; an empty one in another shape."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return None
    for name in ("error", "detail"):
        inner = content.get(name) if isinstance(content, dict) else None
        if isinstance(inner, dict):
            return inner
    return content if isinstance(content, dict) else {}


def _named(error: Mapping[str, Any] | None) -> str:
    """Identifiers of an error."""
    values = [str((error or {}).get(name)) for name in ("type", "code", "param", "error")]
    return ", ".join(dict.fromkeys(v for v in values if v != "None" and _IDENTIFIER.fullmatch(v)))
