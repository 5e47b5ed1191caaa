"""The whole service (`up`) in a process of its own, with its processes found by their role."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import psutil

from bench.harness.services import free_port
from bench.harness.waiting import until
from pipeline.jobs.jobs import Jobs
from pipeline.store.artifacts import Store
from tasks.flower import launch
from tasks.local.embedded_broker import url_of_running
from tasks.local.processes import ROOT
from tasks.settings import load

_ROLES = (
    ("valkey-server", "broker"),
    ("tasks.local.embedded_broker", "broker keeper"),
    (" flower ", "Flower"),
    ("-n intake@", "intake"),
    ("-n work@", "worker"),
    ("web.server", "HTTP"),
)
_START_S = 120.0


@dataclass(frozen=True, slots=True)
class Member:
    """A process of the service."""

    role: str
    """`up`, `broker`, `broker keeper`, `Flower`, `HTTP`, `intake`, `worker`; `… child` of these."""
    process: psutil.Process


class RunningService:
    """`up` with two decoding processes and an engine of silence, in one folder.

    Args:
        settings: more environment variables.
        flower: more options of Flower's command line; it is then a process of its own, which `up` does not
            know. None lets `up` start it.
    """

    def __init__(
        self, folder: Path, settings: Mapping[str, str], *, flower: Sequence[str] | None = None
    ) -> None:
        self.state = folder / "state"
        clean = {name: value for name, value in os.environ.items() if not name.startswith("VOXCHORD_")}
        self.environment = {**clean, "VOXCHORD_STATE": str(self.state), **settings}
        self.settings = load(self.environment)
        self.jobs = Jobs(Store(self.settings.store_url))
        self.flower_port, self.http_port = free_port(), free_port()
        self._flower = flower
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        try:
            self._bring_up()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def _bring_up(self) -> None:
        inside = self.flower_port if self._flower is None else 0
        self._start(
            *(sys.executable, "voxchord.py", "up", "--workers", "2"),
            *("--flower-port", str(inside), "--http-port", str(self.http_port)),
        )
        for name in ("intake", "work"):
            until(lambda name=name: b" ready." in self.log(name), _START_S, every_s=0.2)  # type: ignore[misc]
        if self._flower is not None:
            found = replace(self.settings, broker_url=self.broker_url)
            command = launch.command(found, self.flower_port)
            self._start(*command, *self._flower, environment=launch.environment(found))

    def _start(self, *command: str, environment: Mapping[str, str] | None = None) -> None:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment or self.environment, stdout=subprocess.DEVNULL, stderr=None
        )
        self._processes.append(process)

    def _stop(self) -> None:
        members = [member.process for member in self.members()]
        for process in reversed(self._processes):
            process.send_signal(signal.SIGTERM)
        for process in self._processes:
            try:
                process.wait(120)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for process_left in psutil.wait_procs(members, 5)[1]:
            process_left.kill()

    @property
    def broker_url(self) -> str:
        return str(until(lambda: url_of_running(self.state), 60))

    @property
    def running(self) -> bool:
        """True while the commands that were started run."""
        return all(process.poll() is None for process in self._processes)

    def log(self, name: str) -> bytes:
        path = self.state / "logs" / f"{name}.log"
        return path.read_bytes() if path.exists() else b""

    def members(self) -> list[Member]:
        """All processes of the service that live now."""
        return [member for process in self._processes for member in _family(process.pid)]


def _family(pid: int) -> Iterator[Member]:
    try:
        root = psutil.Process(pid)
        found = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for process in found:
        try:
            line = " ".join(process.cmdline())
            parent = process.parent()
            forked = parent is not None and line == " ".join(parent.cmdline())
        except psutil.NoSuchProcess:
            continue
        role = next((role for word, role in _ROLES if word in line), "up" if process == root else "")
        if role and line:  # a process that has ended has no command line
            yield Member(f"{role} child" if forked else role, process)
