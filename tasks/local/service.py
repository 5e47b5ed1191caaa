"""The whole service on one machine: embedded broker, workers, and their end."""

import fcntl
import logging
import os
import signal
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from kombu import Connection

from pipeline.engines import registry
from tasks.broker.transport import of as broker_of
from tasks.flower import launch
from tasks.local.embedded_broker import EmbeddedBroker, url_of_running
from tasks.settings import Settings
from tasks.worker import commands, devices

log = logging.getLogger(__name__)

ROOT = Path(__file__).parent.parent.parent
_WARM_S = 90
_LOOK_S = 0.5
_EARLY_S = 20.0
_HOLD = "service.lock"
_EARLY_MAX = 3
"""A worker that ends so often in a row, each time so soon after its start, is not started again."""


class ServiceError(Exception):
    """A part of the local service did not come up or did not stay up."""


_AT_ONCE = (KeyboardInterrupt, ServiceError)
"""What ends a service without a thought for others."""


@dataclass(slots=True)
class _Worker:
    """A worker that is kept up."""

    spec: commands.WorkerSpec
    process: subprocess.Popen[bytes]
    started: float
    early: int
    """How often in a row it ended soon after its start."""


class LocalService:
    """Starts what isn't running and stops what it started.

    Sets `VOXCHORD_BROKER_URL` for this process and its children, so use it before importing `tasks.app`.
    """

    def __init__(self, settings: Settings, *, concurrency: int | None = None, shared: bool = False) -> None:
        """
        Args:
            shared: of several commands in a folder that share one service, the one that started it stops it
                when the others have ended.
        """
        self.settings, self.shared = settings, shared
        self.concurrency = concurrency or os.cpu_count() or 1
        self.broker = EmbeddedBroker(settings.state)
        self.processes: list[subprocess.Popen[bytes]] = []
        self._workers: dict[str, _Worker] = {}
        self._held: int | None = None
        """The file that commands lock which use another's service."""
        self._ended = threading.Event()
        self._keeper: threading.Thread | None = None

    def __enter__(self) -> Self:
        if self.settings.broker_url:
            return self
        os.environ["VOXCHORD_STATE"] = str(self.settings.state.absolute())
        url = os.environ["VOXCHORD_BROKER_URL"] = self._broker_url()
        if self.broker.started:
            try:
                self._bring_up(url)
            except BaseException:
                self._stop()
                raise
        return self

    def _broker_url(self) -> str:
        """Of the folder's broker; one that is another's is held, so that it stays."""
        while True:
            url = self.broker.start()
            if self.broker.started or not self.shared:
                return url
            self._hold(fcntl.LOCK_SH)
            if url_of_running(self.settings.state) == url:
                return url
            self._let_go()  # it was just being stopped

    def _hold(self, kind: int) -> None:
        if self._held is None:
            self._held = os.open(self.settings.state / _HOLD, os.O_WRONLY | os.O_CREAT, 0o600)
        fcntl.flock(self._held, kind)

    def _let_go(self) -> None:
        if self._held is not None:
            os.close(self._held)
            self._held = None

    def _bring_up(self, url: str) -> None:
        model = self.settings.checkpoint(self.settings.model or None)
        profile = registry.load(self.settings.engine, model).profile
        self._return_orphans(url)
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        slots = self.settings.slots or devices.default_slots(profile, visible)
        for spec in commands.local(profile, self.concurrency, slots, visible):
            self.start(spec)
        self._keeper = threading.Thread(target=self._keep, name="keeper", daemon=True)
        self._keeper.start()

    def start(self, spec: commands.WorkerSpec) -> subprocess.Popen[bytes]:
        """Start one worker; it ends with this process."""
        command = commands.command(spec, log_level=self.settings.log_level, with_starter=True)
        process = self._spawn(spec.name, command, commands.environment(spec))
        early = self._workers[spec.name].early if spec.name in self._workers else 0
        self._workers[spec.name] = _Worker(spec, process, time.monotonic(), early)
        return process

    def _keep(self) -> None:
        """Start a worker again that was killed; what it had in flight comes back to the queues by itself."""
        while not self._ended.wait(_LOOK_S):
            for worker in list(self._workers.values()):
                if worker.process.poll() is None or worker.early > _EARLY_MAX:
                    continue
                lived_s = time.monotonic() - worker.started
                worker.early = worker.early + 1 if lived_s < _EARLY_S else 0
                if worker.early > _EARLY_MAX:
                    log.error(
                        "a worker ends at every start; it is given up", extra={"worker": worker.spec.name}
                    )
                else:
                    log.warning("a worker ended; it is started again", extra={"worker": worker.spec.name})
                    self.processes.remove(worker.process)
                    if worker.process.stdin:
                        worker.process.stdin.close()
                    self.start(worker.spec)

    def _spawn(self, name: str, command: list[str], environment: dict[str, str]) -> subprocess.Popen[bytes]:
        logs = self.settings.state.absolute() / "logs"
        logs.mkdir(mode=0o700, exist_ok=True)
        with open(logs / f"{name}.log", "ab") as log:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    def start_flower(self, port: int) -> Path:
        """Start the console on loopback; returns the file that has its `user:password`. It ends with us."""
        password = launch.password_file(self.settings)
        environment = launch.environment(self.settings, with_starter=True)
        self._spawn("flower", launch.command(self.settings, port), environment)
        return password

    def check(self) -> None:
        """
        Raises:
            ServiceError: a process of the service has ended by itself and for good.
        """
        for process in list(self.processes):
            kept = any(
                process is worker.process for worker in self._workers.values() if worker.early <= _EARLY_MAX
            )
            if process.poll() is not None and not kept:
                raise ServiceError(f"a process of the service ended; see {self.settings.state / 'logs'}")

    def wait(self) -> None:
        """Until somebody interrupts, or a process of the service ends by itself and for good.

        Raises:
            ServiceError: one did.
        """
        while True:
            self.check()
            time.sleep(0.5)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if self.shared and self.broker.started and not isinstance(error, _AT_ONCE):
                self._until_alone()
        finally:
            self._stop()

    def _until_alone(self) -> None:
        """Wait for the commands that use this service; from then on there is none for them to use."""
        try:
            self._hold(fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.warning("another command uses the service of this one, which ends after it")
            self._hold(fcntl.LOCK_EX)

    def _stop(self) -> None:
        self._ended.set()
        if self._keeper:
            self._keeper.join()
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + _WARM_S
        for process in self.processes:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdin:
                process.stdin.close()
        self.processes.clear()
        self.broker.stop()
        self._let_go()

    def _return_orphans(self, url: str) -> None:
        """Nobody works here yet, so what is noted as in flight belongs to the dead: back to the queues."""
        options = broker_of(self.settings, url).transport_options()
        with Connection(url, transport_options=options) as connection:
            channel: Any = connection.default_channel
            with channel.conn_or_acquire() as client:
                for tag in client.hkeys(channel.unacked_key):
                    channel.qos.restore_by_tag(tag.decode(), client)
