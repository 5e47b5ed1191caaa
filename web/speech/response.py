"""The response: audio or server-sent events, which end with the client's connection."""

import base64
import json
import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Any

import anyio
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from web.errors import of_any

log = logging.getLogger(__name__)

_STALLED_S = 900.0
"""Longest time without a reader that takes anything."""

Parts = AsyncGenerator[bytes, None]


class StreamResponse(Response):
    """Response whose status is sent with its first part, so that an earlier error has a status of its own.

    An error after the first part is given to `on_error`, whose bytes end the stream; without any the
    connection is closed before the stream's end, which clients report.
    """

    def __init__(
        self,
        parts: Callable[[], Parts],
        *,
        media_type: str,
        headers: Mapping[str, str],
        on_error: Callable[[Exception], bytes] | None = None,
    ) -> None:
        super().__init__(media_type=media_type, headers=headers)
        del self.headers["content-length"]
        self._parts, self._on_error = parts, on_error
        self._started = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with anyio.create_task_group() as group:

            async def watch() -> None:
                while (await receive())["type"] != "http.disconnect":
                    pass
                group.cancel_scope.cancel()

            group.start_soon(watch)
            await self._send(scope, receive, send)
            group.cancel_scope.cancel()

    async def _send(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with aclosing(self._parts()) as parts:
                async for part in parts:
                    await self._part(send, part)
        except Exception as error:
            if not self._started:
                await of_any(error).response()(scope, receive, send)
                return
            if self._on_error is None:
                raise
            await self._part(send, self._on_error(error))
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _part(self, send: Send, part: bytes) -> None:
        with anyio.fail_after(_STALLED_S):
            if not self._started:
                self._started = True
                start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
                await send(start)
            await send({"type": "http.response.body", "body": part, "more_body": True})


def event(kind: str, **content: Any) -> bytes:
    """A server-sent event of the convention.

    >>> event("speech.audio.delta", audio="AAA=")
    b'event: speech.audio.delta\\ndata: {"type":"speech.audio.delta","audio":"AAA="}\\n\\n'
    """
    data = json.dumps({"type": kind, **content}, separators=(",", ":"))
    return f"event: {kind}\ndata: {data}\n\n".encode()


def error_event(error: Exception) -> bytes:
    """The event that ends a stream with an error."""
    return event("speech.audio.error", **of_any(error).body())


async def events(
    parts: AsyncGenerator[bytes, None], usage: Callable[[], Mapping[str, int]]
) -> AsyncGenerator[bytes, None]:
    """Yield audio as events, and the usage at the end."""
    async with aclosing(parts):
        async for part in parts:
            yield event("speech.audio.delta", audio=base64.b64encode(part).decode())
    yield event("speech.audio.done", usage=usage())
