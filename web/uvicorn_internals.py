"""Internals of uvicorn: its HTTP protocol, with bounds of time and of connections."""

import asyncio
from typing import ClassVar

from uvicorn.protocols.http.h11_impl import H11Protocol

from pipeline import internals
from pipeline.internals import Internal
from tasks.flower.request_guard import CONNECTIONS_MAX, HEADER_S

INTERNALS = (
    Internal(H11Protocol, "connection_made", "the limit of connections", ("transport",)),
    Internal(H11Protocol, "connection_lost", "the limit of connections", ("exc",)),
    Internal(H11Protocol, "handle_events", "the time limit of headers", ()),
    Internal(H11Protocol, "cycle", "the time limit of headers"),
    Internal(H11Protocol, "loop", "the time limit of headers"),
)


def check() -> None:
    """
    Raises:
        InternalsError: uvicorn lacks something that is used here.
    """
    internals.check("uvicorn", INTERNALS)


class BoundedProtocol(H11Protocol):
    """HTTP protocol that closes connections beyond a number, and those without a complete request in time.

    uvicorn itself bounds idle time only after the first response, so that a client that sends a byte now and
    then would hold its connection for ever.
    """

    header_s: ClassVar[float] = HEADER_S
    """Longest time until a request's headers are complete, and of an idle connection."""
    connections_max: ClassVar[int] = CONNECTIONS_MAX
    open_connections: ClassVar[int] = 0
    _timer: asyncio.TimerHandle | None = None
    _counted = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        if BoundedProtocol.open_connections >= self.connections_max:
            transport.close()
        else:
            self._counted = True
            BoundedProtocol.open_connections += 1
        super().connection_made(transport)
        self._timer = self.loop.call_later(self.header_s, self._close_without_request)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._counted:
            self._counted = False
            BoundedProtocol.open_connections -= 1
        self._stop_timer()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        before = self.cycle
        super().handle_events()
        if self.cycle is not before:
            self._stop_timer()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._stop_timer()
        self._timer = self.loop.call_later(self.header_s, self._close_without_request)

    def _close_without_request(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
