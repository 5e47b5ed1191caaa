"""Checks of a request by its headers alone, before Flower's server reads a byte of its body.

Tornado reads the whole body first and asks for the password afterwards, so that strangers could fill the
memory. Here a request without the password is refused at once if it has a body, and any body is limited. A
server that listens on loopback answers to loopback names only, since a page of another site can point its own
name at 127.0.0.1 (DNS rebinding).
"""

import hmac
import ipaddress
import re
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tornado.httputil import HTTPHeaders, RequestStartLine

VOICE_BYTES_MAX = 64 << 20
"""Five minutes of 16-bit stereo at 48 kHz are 58 MB."""
BODY_BYTES_MAX = 32 << 20
"""Larger than the longest script that is accepted by default, with every character escaped in JSON."""
HEADER_S = 30.0
"""Longest time until a request's headers are complete, and of an idle connection."""
BODY_S = 300.0
"""Longest time until a body is complete."""
CONNECTIONS_MAX = 512
PAGE_HEADERS = {
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "same-origin",
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
    ),
}
"""Headers of every page. Flower's own pages have scripts and styles within them."""
_VOICE = re.compile(r"/voxchord/voices/[^/]+$")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Answer to a request that is not read any further."""

    status: int
    reason: str
    body: str


_UNAUTHORIZED = Refusal(401, "Unauthorized", "Access denied")


@dataclass(frozen=True, slots=True)
class Guard:
    """Rules of one server.

    Args:
        credentials: accepted `user:password`; none leaves authentication to Flower (OAuth).
        loopback: True if the server listens on loopback only.
        hosts: names beside loopback under which a proxy may pass requests to it.
    """

    credentials: tuple[str, ...]
    loopback: bool
    hosts: frozenset[str] = frozenset()

    def refusal(self, start_line: "RequestStartLine", headers: "HTTPHeaders") -> Refusal | None:
        """Judge a request; None if its body may be read."""
        if self.loopback and not self._knows(headers.get("Host", "")):
            return Refusal(421, "Misdirected Request", "unknown host; see VOXCHORD_FLOWER_HOSTS")
        given = headers.get("Authorization")
        if self.credentials and given is not None and not authorized(given, self.credentials):
            return _UNAUTHORIZED
        if not _has_body(headers):
            return None
        if self.credentials and given is None:
            return _UNAUTHORIZED
        return _too_large(start_line, headers)

    def _knows(self, host: str) -> bool:
        name = host.rpartition(":")[0] if re.search(r":\d+$", host) else host
        return is_loopback(name.strip("[]")) or name.lower() in self.hosts


def authorized(header: str, credentials: Sequence[str]) -> bool:
    """True if a header `Authorization: Basic …` has one of the credentials, in UTF-8 or Latin-1."""
    given = basic_credentials(header)
    if given is None:
        return False
    return any(hmac.compare_digest(given, wanted) for each in credentials for wanted in _encodings(each))


def basic_credentials(header: str) -> bytes | None:
    """Credentials in a header `Authorization: Basic …`; None if there are none.

    >>> [basic_credentials(header) for header in ("Basic bWU6cGFzcw==", "Basic é", "Bearer bWU6cGFzcw==")]
    [b'me:pass', None, None]
    """
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return b64decode(encoded.strip(), validate=True)
    except ValueError:
        return None


def _encodings(credentials: str) -> list[bytes]:
    """Bytes that browsers send for these credentials."""
    try:
        return [credentials.encode(), credentials.encode("latin-1")]
    except UnicodeEncodeError:
        return [credentials.encode()]


def is_loopback(address: str) -> bool:
    """True for loopback addresses; an empty address means all interfaces.

    >>> [is_loopback(address) for address in ("127.0.0.1", "::1", "localhost", "", "0.0.0.0", "10.0.0.7")]
    [True, True, True, False, False, False]
    """
    try:
        return address.lower() == "localhost" or ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _has_body(headers: "HTTPHeaders") -> bool:
    return "Transfer-Encoding" in headers or headers.get("Content-Length", "0").strip() not in ("", "0")


def _too_large(start_line: "RequestStartLine", headers: "HTTPHeaders") -> Refusal | None:
    limit = VOICE_BYTES_MAX if is_voice(start_line) else BODY_BYTES_MAX
    length = headers.get("Content-Length", "0").strip()
    if re.fullmatch("[0-9]{1,18}", length) and int(length) <= limit:
        return None
    return Refusal(413, "Content Too Large", f"more than {limit:,} bytes")


def is_voice(start_line: "RequestStartLine") -> bool:
    """True for the upload of a recording, which is never a form, whatever its client says."""
    return start_line.method == "PUT" and _VOICE.search(start_line.path.partition("?")[0]) is not None
