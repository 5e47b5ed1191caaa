"""Client of a server of the `/v1/audio/speech` convention: requests, retries and bounds.

A request runs in an event loop of its thread, which checks the segment's control while it waits. A segment
that is cancelled or handed back closes its connection, so that the server can stop.
"""

import asyncio
import functools
import json
import random
import ssl
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, TypeVar

import httpx2

from pipeline.arrays import Samples
from pipeline.engines.openai import audio
from pipeline.engines.openai.answers import Kind, RefusalError, TroubleError, error_in_body, failure
from pipeline.engines.openai.server import SpeechServer
from pipeline.engines.openai.traffic import Traffic, Waits
from pipeline.engines.protocol import Control, Uncontrolled
from pipeline.errors import EngineError, RetryableError

T = TypeVar("T")

ERROR_BYTES_MAX = 64 << 10
LIST_BYTES_MAX = 8 << 20
_HEADER_BYTES = 1 << 20
"""Bytes that an answer may have beside its samples."""
_CHECK_S = 0.25
_CONNECT_S = 10.0
_LIST_S = 15.0
"""Longest time of a request for a list."""
_REDIRECTS_MAX = 3
_TRIES = {Kind.FAULT: 3, Kind.AWAY: 6}
"""Attempts within one attempt of the stage."""
_BACK_OFF_MAX_S = 30.0


class SpeechClient:
    """Client of one server. Thread-safe: each call has an event loop and connections of its own."""

    def __init__(self, server: SpeechServer, traffic: Traffic, *, retrying: bool = True) -> None:
        """
        Args:
            retrying: repeat what may pass.
        """
        self.server, self.traffic, self.retrying = server, traffic, retrying

    def run(self, work: Callable[["Connection"], Coroutine[Any, Any, T]], waits: Waits) -> T:
        """Run requests over one connection until they are done, or the control raises.

        Raises:
            EngineError: the server refuses a request.
            RetryableError: the server failed, and may not do so later.
        """

        async def connected() -> T:
            headers = {"Authorization": f"Bearer {self.server.key}"} if self.server.key else {}
            async with httpx2.AsyncClient(
                headers={**headers, "Accept-Encoding": "identity", "User-Agent": "voxchord"},
                timeout=httpx2.Timeout(None, connect=_CONNECT_S),
                verify=_tls(),
            ) as http:
                return await _controlled(work(Connection(self, http, waits)), waits.control)

        return asyncio.run(connected())

    def voices(self) -> list[str] | None:
        """Names of the server's voices; None if it has no list of them."""
        return self.run(lambda connection: connection.voices(), Waits(Uncontrolled()))

    def models(self) -> list[str] | None:
        """Names of the server's models; None if it has no list of them."""
        return self.run(lambda connection: connection.models(), Waits(Uncontrolled()))


class Connection:
    """Requests of one segment, one after the other."""

    def __init__(self, client: SpeechClient, http: httpx2.AsyncClient, waits: Waits) -> None:
        self.server, self.traffic, self.retrying = client.server, client.traffic, client.retrying
        self.http, self.waits = http, waits

    async def speech(self, body: Mapping[str, Any], seconds_max: float) -> Samples:
        """Ask for the sound of a text.

        Args:
            body: fields of the request.
            seconds_max: longest sound.
        """
        bytes_max = _HEADER_BYTES + round(seconds_max * audio.BYTES_PER_S)

        async def attempt() -> Samples:
            kind, data = await self._answer("POST", "/audio/speech", bytes_max, self.server.timeout_s, body)
            error = error_in_body(kind, data)
            if error is not None:
                raise error
            return audio.decode(
                data,
                kind,
                asked=str(body["response_format"]),
                pcm_rate_hz=self.server.pcm_rate_hz,
                seconds_max=seconds_max,
            )

        return await self._retried(attempt)

    async def voices(self) -> list[str] | None:
        """Names of the voices, in any of the shapes that servers use; None if there is no list."""
        content = await self._retried(lambda: self._list("/audio/voices"))
        return None if content is None else listed_voices(content)

    async def models(self) -> list[str] | None:
        """Names of the models; None if there is no list."""
        content = await self._retried(lambda: self._list("/models"))
        return None if content is None else _names(content.get("data"))

    async def _list(self, path: str) -> dict[str, Any] | None:
        try:
            _, data = await self._answer("GET", path, LIST_BYTES_MAX, _LIST_S)
        except _MissingError:
            return None
        try:
            content = json.loads(data)
        except (ValueError, RecursionError):
            content = None
        if not isinstance(content, dict):
            raise RefusalError(f"answers no JSON object at {path}; is VOXCHORD_OPENAI_URL right?")
        return content

    async def _retried(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Repeat an attempt while its failures may pass."""
        failures: dict[Kind, int] = {}
        busy_s = 0.0
        while True:
            await self._turn()
            try:
                return await attempt()
            except RefusalError as error:
                raise EngineError(f"speech server {self.server.authority} {error.reason}") from None
            except TroubleError as error:
                count = failures[error.kind] = failures.get(error.kind, 0) + 1
                wait_s = self._wait_s(error, count)
                busy_s += wait_s if error.kind is Kind.BUSY else 0.0
                given_up = count >= _TRIES.get(error.kind, count + 1) or busy_s > self.server.busy_max_s
                if given_up or not self.retrying:
                    raise RetryableError(f"speech server {self.server.authority} {error.reason}") from None
            await self._sleep(wait_s)

    def _wait_s(self, error: TroubleError, count: int) -> float:
        back_off_s = min(self.server.back_off_s * 2.0 ** (count - 1), _BACK_OFF_MAX_S)
        wait_s = max(back_off_s * random.uniform(0.75, 1.25), error.wait_s or 0.0)
        if error.kind is Kind.BUSY:
            self.traffic.pause(min(wait_s, self.server.busy_max_s))
        return wait_s

    async def _turn(self) -> None:
        wait_s = self.traffic.turn_s()
        if wait_s:
            await self._sleep(wait_s)

    async def _sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self.waits.add(seconds)

    async def _answer(
        self, method: str, path: str, bytes_max: int, limit_s: float, body: Mapping[str, Any] | None = None
    ) -> tuple[str, bytes]:
        """Content type and bytes of an answer.

        Raises:
            TroubleError, RefusalError: there is none.
        """
        try:
            async with asyncio.timeout(limit_s):
                return await self._redirected(method, self.server.base + path, bytes_max, body)
        except (TimeoutError, httpx2.ReadTimeout, httpx2.WriteTimeout):
            raise TroubleError(f"has not answered within {limit_s:g} s") from None
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            if _certificate_refused(error):
                reason = "has a certificate that cannot be verified; set SSL_CERT_FILE to its authority's"
                raise RefusalError(reason) from None
            raise TroubleError("cannot be reached", Kind.AWAY) from None
        except httpx2.HTTPError:
            raise TroubleError("broke off its answer") from None

    async def _redirected(
        self, method: str, url: str, bytes_max: int, body: Mapping[str, Any] | None
    ) -> tuple[str, bytes]:
        """Follow redirects within the server; never one to another, which would get the words and the key."""
        for _ in range(_REDIRECTS_MAX):
            request = self.http.build_request(method, url, json=body)
            response = await self.http.send(request, stream=True)
            try:
                target = _target(response)
                if target is None:
                    return await _content(response, bytes_max)
            finally:
                await response.aclose()
            url = str(target)
        raise RefusalError(f"redirects more than {_REDIRECTS_MAX} times; correct VOXCHORD_OPENAI_URL")


class _MissingError(RefusalError):
    """A path that the server does not have."""


def listed_voices(content: Mapping[str, Any]) -> list[str]:
    """Names in a list of voices: of strings, or of records with an ID or a name.

    >>> listed_voices({"voices": [{"id": "a", "name": "Anna"}, "b"], "uploaded_voices": [{"name": "c"}]})
    ['a', 'b', 'c']
    """
    parts = (content.get(name) for name in ("voices", "uploaded_voices", "data"))
    return [name for part in parts for name in _names(part)]


def _names(entries: Any) -> list[str]:
    found = []
    for entry in entries if isinstance(entries, list) else []:
        name = (entry.get("id") or entry.get("name")) if isinstance(entry, dict) else entry
        if isinstance(name, str):
            found.append(name)
    return found


def _target(response: httpx2.Response) -> httpx2.URL | None:
    """Address of a redirect within the server; None if the answer is none.

    Raises:
        RefusalError: another server, or a status that drops the request's body.
    """
    if not 300 <= response.status_code < 400:
        return None
    here, target = response.request.url, response.headers.get("location")
    try:
        there = here.join(target) if target else None
    except httpx2.InvalidURL:
        there = None
    with_body = response.status_code in (307, 308) or response.request.method == "GET"
    if there is None or not with_body or _origin(there) != _origin(here):
        reason = f"redirects elsewhere ({response.status_code}), which is not followed"
        raise RefusalError(f"{reason}; correct VOXCHORD_OPENAI_URL")
    return there


def _origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    ports = {"http": 80, "https": 443}
    return url.scheme, url.host, url.port or ports.get(url.scheme)


async def _content(response: httpx2.Response, bytes_max: int) -> tuple[str, bytes]:
    if response.status_code >= 400:
        body = await _read(response, ERROR_BYTES_MAX, whole=False)
        error = failure(response.status_code, response.headers, body)
        if isinstance(error, RefusalError) and response.status_code in (404, 405, 501):
            raise _MissingError(error.reason)
        raise error
    if response.headers.get("content-encoding", "identity").lower() not in ("identity", ""):
        raise RefusalError("compresses its answer, which was not asked for")
    return response.headers.get("content-type", ""), await _read(response, bytes_max, whole=True)


async def _read(response: httpx2.Response, bytes_max: int, *, whole: bool) -> bytes:
    """Read a body.

    Args:
        whole: a longer body is a failure; else it is cut off.
    """
    data = bytearray()
    async for chunk in response.aiter_raw():
        data += chunk
        if len(data) > bytes_max:
            if whole:
                raise TroubleError(f"sent more than {bytes_max:,} bytes")
            break
    return bytes(data[:bytes_max])


async def _controlled(work: Coroutine[Any, Any, T], control: Control) -> T:
    """Run work while the control is checked; it is ended before the control's exception is raised."""
    task = asyncio.ensure_future(work)
    try:
        while not task.done():
            control.check()
            await asyncio.wait({task}, timeout=_CHECK_S)
        return task.result()
    finally:
        task.cancel()
        await asyncio.wait({task})


@functools.cache
def _tls() -> ssl.SSLContext:
    """Certificates of the system, or of `SSL_CERT_FILE`, read once per process."""
    return ssl.create_default_context()


def _certificate_refused(error: BaseException | None) -> bool:
    """True if a certificate is the cause of an error."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False
