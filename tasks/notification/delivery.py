"""Delivery of one notification: a POST of JSON to a web address, or any other service through Apprise."""

import importlib.util
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from tasks.notification.errors import NotDeliveredError

_TIMEOUT_S = 10.0


def problem(url: str) -> str | None:
    """Reason why notifications cannot be sent to an address; None if they can."""
    if _is_web(url):
        return None
    if importlib.util.find_spec("apprise") is None:
        return f"{urlsplit(url).scheme or 'an address without a scheme'}: needs the extra `notify` (Apprise)"
    import apprise

    return None if apprise.Apprise().add(url) else f"{urlsplit(url).scheme}: Apprise cannot read the address"


def send(url: str, notice: str, facts: Mapping[str, Any]) -> None:
    """Send a notification.

    Args:
        notice: its ID, also in the header `Idempotency-Key`.

    Raises:
        NotDeliveredError: the service does not answer or refuses it.
    """
    if _is_web(url):
        _post(url, notice, facts)
        return
    reason = problem(url)
    if reason is not None:
        raise NotDeliveredError(reason)
    import apprise

    service = apprise.Apprise()
    service.add(url)
    if not service.notify(title=f"voxchord: job {facts['event']}", body=text(facts)):
        raise NotDeliveredError("Apprise could not deliver it")


def text(facts: Mapping[str, Any]) -> str:
    """Facts as lines for people.

    >>> text({"event": "failed", "job": "3f", "error": "segment 2: a fault", "audio_s": None})
    'event: failed\\njob: 3f\\nerror: segment 2: a fault'
    """
    return "\n".join(f"{name}: {value}" for name, value in facts.items() if value is not None)


def _is_web(url: str) -> bool:
    return url.startswith(("http://", "https://"))


def _post(url: str, notice: str, facts: Mapping[str, Any]) -> None:
    body = json.dumps({"id": notice, **facts}).encode()
    headers = {"Content-Type": "application/json", "Idempotency-Key": notice, "User-Agent": "voxchord"}
    request = urllib.request.Request(url, data=body, headers=headers, method="POST")  # noqa: S310 - http or https
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S):  # noqa: S310 - checked above
            return
    except urllib.error.HTTPError as error:
        error.close()
        raise NotDeliveredError(f"{urlsplit(url).hostname} answers {error.code}") from None
    except OSError as error:
        reason = getattr(error, "reason", None) or error
        raise NotDeliveredError(f"{urlsplit(url).hostname}: {type(reason).__name__}") from None
