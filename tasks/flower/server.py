"""Flower's HTTP server, which judges requests by their headers and limits what a connection may take."""

from typing import Any, ClassVar

from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPHeaders, HTTPMessageDelegate, RequestStartLine, ResponseStartLine

from tasks.flower import request_guard
from tasks.flower.request_guard import Guard

_DISCARD_S = 10.0
_DISCARD_BYTES = 1 << 40
"""Bounds of a refused body, which is read and dropped."""


class BoundedServer(HTTPServer):  # type: ignore[misc]  # tornado is skipped by mypy
    """HTTP server with limits of time, size and connections; its guard sees each request's headers first."""

    guard: ClassVar[Guard]
    open_connections = 0

    def initialize(self, *arguments: Any, **options: Any) -> None:
        options |= {
            "idle_connection_timeout": request_guard.HEADER_S,
            "body_timeout": request_guard.BODY_S,
            "max_body_size": request_guard.VOICE_BYTES_MAX,
            "max_header_size": 64 << 10,
        }
        super().initialize(*arguments, **options)

    def handle_stream(self, stream: Any, address: Any) -> None:
        if self.open_connections >= request_guard.CONNECTIONS_MAX:
            stream.close()
            return
        self.open_connections += 1
        super().handle_stream(stream, address)

    def on_close(self, server_conn: object) -> None:
        self.open_connections -= 1
        super().on_close(server_conn)

    def start_request(self, server_conn: object, request_conn: Any) -> HTTPMessageDelegate:
        return _GuardedRequest(self.guard, request_conn, super().start_request(server_conn, request_conn))


class _GuardedRequest(HTTPMessageDelegate):  # type: ignore[misc]  # tornado is skipped by mypy
    """Passes a request on, unless the guard refuses it: then it is answered at once, and its body discarded.

    A connection that is closed while its client sends would lose the answer.
    """

    def __init__(self, guard: Guard, connection: Any, inner: HTTPMessageDelegate) -> None:
        self.guard, self.connection, self.inner = guard, connection, inner
        self.refused = False

    def headers_received(self, start_line: RequestStartLine, headers: HTTPHeaders) -> Any:
        refusal = self.guard.refusal(start_line, headers)
        if refusal is not None:
            self.refused = True
            return self._refuse(refusal)
        if request_guard.is_voice(start_line):
            headers["Content-Type"] = "application/octet-stream"
        return self.inner.headers_received(start_line, headers)

    def data_received(self, chunk: bytes) -> Any:
        return None if self.refused else self.inner.data_received(chunk)

    def finish(self) -> None:
        (self.connection if self.refused else self.inner).finish()

    def on_connection_close(self) -> None:
        if not self.refused:
            self.inner.on_connection_close()

    def _refuse(self, refusal: request_guard.Refusal) -> None:
        body = refusal.body.encode()
        headers = HTTPHeaders(
            {"Content-Type": "text/plain", "Content-Length": str(len(body)), "Connection": "close"}
        )
        if refusal.status == 401:
            headers["WWW-Authenticate"] = 'Basic realm="flower", charset="UTF-8"'
        self.connection.set_body_timeout(_DISCARD_S)
        self.connection.set_max_body_size(_DISCARD_BYTES)
        self.connection.write_headers(
            ResponseStartLine("HTTP/1.1", refusal.status, refusal.reason), headers, body
        )
