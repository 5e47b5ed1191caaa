"""Embedded broker: a Valkey server from a wheel, with its append-only file in the state folder.

It runs in its own process and session, so that Ctrl-C reaches only the command. It ends with its parent (end
of its standard input). A lock allows one per state folder. If it is killed, its server is left over: that
server answers, but nothing restarts or stops it. So it counts as not running, and the next process ends it
and starts another one on its port, with its password and its data, so that clients find it again.
"""

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING
from urllib.parse import urlsplit

import psutil

if TYPE_CHECKING:
    from tasks.local.valkey import Valkey

_URL_FILE = "broker.url"
_PID_FILE = "server"
"""Process ID and start time of the server."""
_START_TIMEOUT_S = 30
_CHECK_S = 0.3
_AGAIN_S = 1.0


def url_of_running(state: Path) -> str | None:
    """URL of the running embedded broker of a state folder; None if none answers."""
    try:
        url = (state / _URL_FILE).read_text().strip()
    except OSError:
        return None
    if not _is_locked(state / "broker"):
        return None
    parts = urlsplit(url)
    try:
        socket.create_connection((parts.hostname or "", parts.port or 0), timeout=1).close()
    except OSError:
        return None
    return url


def _is_locked(folder: Path) -> bool:
    """True while the process that keeps the server lives."""
    try:
        with open(folder / "lock") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


class BrokerError(Exception):
    """The embedded broker did not start."""


class EmbeddedBroker:
    """Starts the broker of a state folder, or uses the running one."""

    def __init__(self, state: Path) -> None:
        self.state = state.absolute()
        self.process: subprocess.Popen[str] | None = None

    @property
    def started(self) -> bool:
        """True if this object started the running broker."""
        return self.process is not None

    def start(self) -> str:
        """Start the broker or wait for one that is starting or stopping; returns its URL.

        Raises:
            BrokerError: it did not start.
        """
        deadline = time.monotonic() + _START_TIMEOUT_S
        while (running := url_of_running(self.state)) is None:
            if time.monotonic() > deadline:
                raise self._failure()
            if self.started or not self._launched():
                time.sleep(_AGAIN_S)
        return running

    def restart_if_killed(self) -> bool:
        """Start the process again if this object started it and it was killed; True if it did."""
        if self.process is None or self.process.poll() is None:
            return False
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                pipe.close()
        self.process = None
        self.start()
        return True

    def _launched(self) -> bool:
        """Start the process; False if another one holds the folder's lock."""
        self.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tasks.local.embedded_broker", str(self.state)],
            cwd=Path(__file__).parent.parent.parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self.process.stdout  # noqa: S101 - a pipe, by the arguments above
        said = self.process.stdout.readline().strip()
        if said == "ready":
            return True
        self.stop()
        if said != "locked":
            raise self._failure()
        return False

    def _failure(self) -> BrokerError:
        return BrokerError(f"the embedded broker did not start; see {self.state / 'broker' / 'valkey.log'}")

    def stop(self) -> None:
        """Stop it if this object started it."""
        if self.process and self.process.stdin and self.process.stdout:
            self.process.stdin.close()
            self.process.wait(_START_TIMEOUT_S)
            self.process.stdout.close()
            self.process = None


def serve(state: Path, starter: IO[str]) -> None:
    """Run the server until the parent ends or asks for it."""
    os.umask(0o077)
    folder = state / "broker"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = open(folder / "lock", "w")  # noqa: SIM115 - held until the process ends
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("locked", flush=True)
        return
    left = _left_over(state, folder)
    (state / _URL_FILE).unlink(missing_ok=True)
    server = _server(folder, *left)
    _start(server, state, folder)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    threading.Thread(target=_until_end_of, args=(starter, ended), daemon=True).start()
    print("ready", flush=True)
    while not ended.wait(_CHECK_S):
        if server.ended:
            _start(server, state, folder)
    (state / _URL_FILE).unlink(missing_ok=True)
    server.stop()


def _until_end_of(starter: IO[str], ended: threading.Event) -> None:
    starter.read()
    ended.set()


def _left_over(state: Path, folder: Path) -> tuple[int | None, str | None]:
    """End the server of a killed process, if it lives; returns its port and password for the next one."""
    try:
        pid, since = json.loads((folder / _PID_FILE).read_text())
        parts = urlsplit((state / _URL_FILE).read_text().strip())
        server = psutil.Process(pid)
        if server.create_time() != since:
            return None, None
        server.terminate()  # it saves its data
        if psutil.wait_procs([server], _START_TIMEOUT_S)[1]:
            server.kill()
    except (OSError, ValueError, psutil.NoSuchProcess):
        return None, None
    return parts.port, parts.password


def _server(folder: Path, port: int | None, password: str | None) -> "Valkey":
    from tasks.local.valkey import Valkey

    return Valkey(
        folder,
        port=port or _port(folder),
        password=password,
        appendonly="yes",
        appendfsync="everysec",
        **{"maxmemory-policy": "noeviction"},
    )


def _start(server: "Valkey", state: Path, folder: Path) -> None:
    """Start the server with its saved data, and write its URL to a private file."""
    server.start()
    handle = os.open(state / _URL_FILE, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(handle, "w") as file:
        file.write(f"{server.url}\n")
    (folder / "port").write_text(str(server.port))
    (folder / _PID_FILE).write_text(json.dumps([server.pid, psutil.Process(server.pid).create_time()]))


def _port(folder: Path) -> int | None:
    """Previous port if it is free, so that URLs stay valid; None lets the server choose."""
    try:
        port = int((folder / "port").read_text())
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
    except (OSError, ValueError):
        return None
    return port


if __name__ == "__main__":
    serve(Path(sys.argv[1]), sys.stdin)
