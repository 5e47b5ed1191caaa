"""Start of the processes of the local service."""

import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Protocol

ROOT = Path(__file__).parent.parent.parent


class Process(Protocol):
    """A process, with what the local service uses of `subprocess.Popen`."""

    @property
    def pid(self) -> int: ...

    @property
    def stdin(self) -> IO[bytes] | None:
        """Pipe whose end the process takes for the end of its starter."""

    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int:
        """Wait for its exit.

        Raises:
            subprocess.TimeoutExpired: it did not exit within `timeout` seconds.
        """

    def send_signal(self, sig: int) -> None: ...
    def terminate(self) -> None: ...
    def kill(self) -> None: ...


Spawn = Callable[[Sequence[str], Mapping[str, str], IO[bytes]], Process]
"""Starts a command with an environment and a log, in a session of its own."""


def spawn(
    command: Sequence[str], environment: Mapping[str, str], log: IO[bytes], stdin: int = subprocess.PIPE
) -> Process:
    """Start a command in the project's folder, by default with a pipe as its standard input."""
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdin=stdin,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
