"""ASGI middleware that judges a request by its headers, and bounds its body in size and time.

A server on loopback answers to loopback names only, since a page of another site can point its own name at
127.0.0.1 (DNS rebinding). A page of another site may not change anything (CSRF).

FastAPI reads a body before it authenticates the request, so that strangers could fill the memory. Here the
key is checked first.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from urllib.parse import urlparse

from sqlalchemy.exc import DBAPIError
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.books.limits import BOOK_BYTES_MAX
from pipeline.voices.consents import BYTES_MAX as CONSENT_BYTES_MAX
from tasks.flower.request_guard import BODY_BYTES_MAX, BODY_S, VOICE_BYTES_MAX, is_loopback
from web.errors import ApiError, of_any

_MULTIPART_BYTES = 64 << 10
"""Headers and fields around an uploaded file."""
LIMITS: tuple[tuple[re.Pattern[str], int], ...] = (
    (re.compile(r"/v1/audio/voices"), VOICE_BYTES_MAX + _MULTIPART_BYTES),
    (re.compile(r"/v1/audio/voice_consents"), CONSENT_BYTES_MAX + _MULTIPART_BYTES),
    (re.compile(r"/v1/audio/(?:books|jobs/upload)"), BOOK_BYTES_MAX + _MULTIPART_BYTES),
)
"""Most bytes of a body by path; any other has `BODY_BYTES_MAX`."""
_OWN_HEAD = ("/content", "/events")
"""Ends of paths that have a handler of HEAD, or no end."""
_SAFE = ("GET", "HEAD", "OPTIONS")
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
"""Headers of every response that does not set them itself."""


class Guard:
    """Middleware of one application.

    Args:
        authenticate: raises if a request has no valid key.
        loopback: True if the server listens on loopback only.
        hosts: names beside loopback under which a proxy may pass requests to it.
        body_s: longest time until a body is complete.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        authenticate: Callable[[HTTPConnection], Awaitable[object]],
        loopback: bool,
        hosts: frozenset[str] = frozenset(),
        body_s: float = BODY_S,
    ) -> None:
        self.app, self.authenticate, self.loopback, self.hosts = app, authenticate, loopback, hosts
        self.body_s = body_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path = _plain_path(scope["path"])
        scope = {**scope, "path": path, "method": _answered_as(scope["method"], path)}
        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers) or await self._unauthenticated(scope)
        if refusal is not None:
            await refusal.response()(scope, receive, _with_headers(send))
            return
        await self._bounded(scope, receive, _with_headers(send))

    async def _bounded(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application; what it answers to a refused body is replaced by the refusal."""
        body = _Body(receive, _limit(scope["path"]), self.body_s)
        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            if body.refusal is None or started:
                started = True
                await send(message)

        try:
            await self.app(scope, body.receive, sending)
        except ApiError as error:
            if error is not body.refusal:
                raise
        if body.refusal is not None and not started:
            await body.refusal.response()(scope, receive, send)

    def _refusal(self, scope: Scope, headers: Headers) -> ApiError | None:
        host = headers.get("host", "")
        if self.loopback and not self._knows(host):
            return ApiError(421, "unknown host; see VOXCHORD_HTTP_HOSTS", code="unknown_host")
        if scope["method"] not in _SAFE and _is_cross_site(headers, host):
            return ApiError(403, "a page of another site may not change anything", code="cross_site")
        length = headers.get("content-length", "0").strip()
        limit = _limit(scope["path"])
        if not re.fullmatch("[0-9]{1,18}", length) or int(length) > limit:
            return _too_large(limit)
        return None

    async def _unauthenticated(self, scope: Scope) -> ApiError | None:
        """Refusal of a request that may have a body, and has no valid key."""
        if scope["method"] in _SAFE:
            return None
        try:
            await self.authenticate(HTTPConnection(scope))
        except (ApiError, DBAPIError) as error:
            return of_any(error)
        return None

    def _knows(self, host: str) -> bool:
        name = host.rpartition(":")[0] if re.search(r":\d+$", host) else host
        return is_loopback(name.strip("[]")) or name.lower() in self.hosts


class _Body:
    """Body of one request, bounded in size and time."""

    def __init__(self, receive: Receive, limit: int, seconds: float) -> None:
        self._receive, self._limit, self._seconds = receive, limit, seconds
        self._bytes = 0
        self._complete = False
        self.refusal: ApiError | None = None
        """Reason why the body was not read to its end."""
        self._until = asyncio.get_running_loop().time() + seconds

    async def receive(self) -> Message:
        """Receive the next message.

        Raises:
            ApiError: 408 or 413.
        """
        if self._complete:  # only the end of the connection can follow
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._until):
                message = await self._receive()
        except TimeoutError:
            self.refusal = ApiError(408, f"the body is not complete after {self._seconds:g} s")
            raise self.refusal from None
        self._bytes += len(message.get("body", b""))
        if self._bytes > self._limit:
            self.refusal = _too_large(self._limit)
            raise self.refusal
        self._complete = message["type"] != "http.request" or not message.get("more_body", False)
        return message


def _plain_path(path: str) -> str:
    """Path without empty parts, as clients make them of a base address that ends with a slash.

    >>> _plain_path("/v1//audio/voices/"), _plain_path("/")
    ('/v1/audio/voices', '/')
    """
    return re.sub("/+", "/", path).rstrip("/") or "/"


def _answered_as(method: str, path: str) -> str:
    """Method whose handler answers: HEAD has the headers of GET, and the server leaves the body out.

    >>> _answered_as("HEAD", "/health"), _answered_as("HEAD", "/v1/audio/jobs/a/events")
    ('GET', 'HEAD')
    """
    return "GET" if method == "HEAD" and not path.endswith(_OWN_HEAD) else method


def _limit(path: str) -> int:
    return next((limit for pattern, limit in LIMITS if pattern.fullmatch(path)), BODY_BYTES_MAX)


def _too_large(limit: int) -> ApiError:
    return ApiError(413, f"the body has more than {limit:,} bytes", code="too_large")


def _is_cross_site(headers: Headers, host: str) -> bool:
    """True for a request that a browser sends for a page of another site."""
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    return site not in (None, "same-origin", "none") or (
        origin is not None and urlparse(origin).netloc.lower() != host.lower()
    )


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sending
