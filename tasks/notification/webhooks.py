"""Webhooks of jobs: signed JSON to hosts that the operator allows.

A host by name must be reached over TLS at public addresses. It is resolved once, all of its addresses are
checked, and the connection goes to the checked address, so that no other answer of the DNS can lead to a
private one. Redirects are not followed. An address is allowed only as it is written in the settings.

Headers and signature are those of Standard Webhooks (https://www.standardwebhooks.com), which OpenAI's
clients verify.
"""

import base64
import hashlib
import hmac
import ipaddress
import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, urlsplit

from pipeline import clock
from pipeline.jobs.outbox import FAILED, FINISHED
from tasks.notification.errors import NotDeliveredError
from tasks.settings import Settings

URL_MAX = 2000
TYPES = {FINISHED: "audio.job.completed", FAILED: "audio.job.failed"}
"""Type of the message by event."""
_TIMEOUT_S = 10.0
_PREFIX = "whsec_"
_PORTS = {"https": 443, "http": 80}
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class Webhooks:
    """Webhooks that the operator allows.

    Args:
        hosts: `host`, `host:port` or `*.domain`; an address is allowed as it is written.
        secret: key from which those of the clients are derived.
    """

    hosts: tuple[str, ...]
    secret: str = field(repr=False)

    @property
    def enabled(self) -> bool:
        return bool(self.hosts and self.secret)

    def problem(self, url: str) -> str | None:
        """Reason why an address is refused, without resolving it; None if it is allowed."""
        if not self.enabled:
            return "has no effect until the operator sets VOXCHORD_WEBHOOK_HOSTS and VOXCHORD_WEBHOOK_SECRET"
        parts = _parts(url)
        if parts is None or not parts.hostname:
            return (
                f"is not an http or https address without user and fragment, of at most {URL_MAX} characters"
            )
        if not self._allows(parts.hostname, _port(parts)):
            return "names a host that the operator does not allow"
        if parts.scheme != "https" and _address(parts.hostname) is None:
            return "must be an https address"
        return None

    def secret_of(self, owner: str) -> str:
        """Signing secret of an owner, in the form that clients take.

        Args:
            owner: first part of the option `namespace`; empty for jobs without one.
        """
        digest = hmac.digest(self.secret.encode(), f"webhook {owner}".encode(), hashlib.sha256)
        return _PREFIX + base64.b64encode(digest).decode()

    def send(self, url: str, notice: str, facts: Mapping[str, Any], namespace: str = "") -> None:
        """Send a notification.

        Args:
            namespace: option of the job.

        Raises:
            NotDeliveredError: the address is refused, does not answer, or answers another status than 2xx.
        """
        reason = self.problem(url)
        parts = _parts(url)
        if reason is not None or parts is None or not parts.hostname:
            raise NotDeliveredError(f"a webhook {reason}")
        owner, _, name = namespace.partition("/")
        body = json.dumps(message(notice, facts, name.rpartition("/")[2])).encode()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "voxchord",
            **signed(self.secret_of(owner), notice, round(clock.now()), body),
        }
        _post(parts, _checked_address(parts), body, headers)

    def _allows(self, host: str, port: int) -> bool:
        name = f"[{host}]" if ":" in host else host
        for entry in map(str.lower, self.hosts):
            if entry in (host, name, f"{name}:{port}"):
                return True
            if entry.startswith("*.") and host.endswith(entry[1:]) and _address(host) is None:
                return True
        return False


def webhooks_of(settings: Settings) -> Webhooks:
    return Webhooks(settings.webhook_hosts_allowed, settings.webhook_secret)


def message(notice: str, facts: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Body of a webhook.

    Args:
        name: the client's ID of the job; empty if it has none.
    """
    data = {key: value for key, value in facts.items() if key not in ("event", "at_s", "run")}
    return {
        "id": notice,
        "object": "event",
        "type": TYPES[facts["event"]],
        "created_at": int(facts["at_s"]),
        "data": {"id": name or facts["job"], **data},
    }


def signed(secret: str, notice: str, now_s: int, body: bytes) -> dict[str, str]:
    """Headers with the signature of a message."""
    content = f"{notice}.{now_s}.".encode() + body
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    signature = base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()
    return {
        "webhook-id": notice,
        "webhook-timestamp": str(now_s),
        "webhook-signature": f"v1,{signature}",
    }


def is_public(address: str) -> bool:
    """True for an address on the internet.

    >>> [is_public(each) for each in ("93.184.215.14", "127.0.0.1", "10.0.0.1", "169.254.169.254", "::1")]
    [True, False, False, False, False]
    >>> [is_public(each) for each in ("::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::", "224.0.0.1")]
    [False, False, False, False]
    """
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return is_public(str(found.ipv4_mapped))
        if found.sixtofour is not None or found.teredo is not None or found in _NAT64:
            return False
    return found.is_global and not found.is_multicast


def _parts(url: str) -> SplitResult | None:
    """Parts of an address that may be one of a webhook; None otherwise."""
    if len(url) > URL_MAX or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        return None
    try:
        parts = urlsplit(url)
        usable = parts.scheme in _PORTS and parts.hostname and "@" not in parts.netloc and parts.port != 0
    except ValueError:
        return None
    return parts if usable and not parts.fragment else None


def _port(parts: SplitResult) -> int:
    return parts.port or _PORTS[parts.scheme]


def _address(host: str) -> str | None:
    """The host if it is an address, in any of the spellings that the resolver takes."""
    try:
        return str(ipaddress.ip_address(host.partition("%")[0]))
    except ValueError:
        pass
    try:
        return socket.inet_ntoa(socket.inet_aton(host))  # such as 0x7f.1, which is 127.0.0.1
    except OSError:
        return None


def _checked_address(parts: SplitResult) -> str:
    """Address to connect to.

    Raises:
        NotDeliveredError: the name cannot be resolved, or one of its addresses is not public.
    """
    host = parts.hostname or ""
    literal = _address(host)
    if literal is not None:
        return literal  # as the operator wrote it
    try:
        found = socket.getaddrinfo(host, _port(parts), type=socket.SOCK_STREAM)
    except OSError:
        raise NotDeliveredError(f"{host} cannot be resolved") from None
    addresses = [str(each[4][0]) for each in found]
    if not addresses or not all(map(is_public, addresses)):
        raise NotDeliveredError(f"{host} has an address that is not public")
    return addresses[0]


def _post(parts: SplitResult, address: str, body: bytes, headers: Mapping[str, str]) -> None:
    """Send the body to an address of the host, whose certificate is checked by its name."""
    import httpx2

    shown = f"[{address}]" if ":" in address else address
    place = f"{parts.scheme}://{shown}:{_port(parts)}{parts.path or '/'}"
    url = f"{place}?{parts.query}" if parts.query else place
    try:
        with httpx2.Client(timeout=_TIMEOUT_S, trust_env=False, follow_redirects=False) as http:
            request = http.build_request(
                "POST",
                url,
                content=body,
                headers={**headers, "Host": parts.netloc},
                extensions={"sni_hostname": parts.hostname},
            )
            response = http.send(request, stream=True)
            response.close()
    except (httpx2.HTTPError, OSError) as error:
        raise NotDeliveredError(f"{parts.hostname}: {type(error).__name__}") from None
    if not response.is_success:
        raise NotDeliveredError(f"{parts.hostname} answers {response.status_code}")
