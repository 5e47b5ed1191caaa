"""The service on one machine: embedded broker, workers, Flower, and their shutdown."""

import fcntl
import logging
import os
import signal
import subprocess
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from kombu import Connection

from pipeline.engines.dependencies import check_installed
from tasks.broker.queues import INTAKE
from tasks.broker.transport import of as broker_of
from tasks.flower import launch
from tasks.internals import kombu_internals
from tasks.local.embedded_broker import BrokerError, EmbeddedBroker, url_of_running
from tasks.local.processes import Process, Spawn, spawn
from tasks.settings import Settings
from tasks.worker import commands, devices

log = logging.getLogger(__name__)

_WARM_S = 90
_CHECK_S = 0.5
_EARLY_S = 20.0
_HOLD = "service.lock"
_FRONTEND_WAIT_MAX_S = 60.0
_EARLY_MAX = 3
"""Number of consecutive early exits after which a worker is not restarted."""


class ServiceError(Exception):
    """A part of the local service did not start or did not keep running."""


_AT_ONCE = (KeyboardInterrupt, ServiceError)
"""Exceptions that stop the service without waiting for other commands."""


@dataclass(slots=True)
class _Worker:
    """A supervised worker."""

    spec: commands.WorkerSpec
    process: Process
    started: float
    early: int
    """Number of consecutive early exits."""


@dataclass(slots=True)
class _Frontend:
    """Flower or the HTTP service, which is restarted with a growing wait, since the jobs run without it."""

    name: str
    command: list[str]
    environment: dict[str, str]
    process: Process
    started: float
    wait_s: float = 0.0
    """Wait before the next start; 0 after it has run for a while."""


class LocalService:
    """Starts broker and workers unless they run, and stops those that it started.

    Sets `VOXCHORD_BROKER_URL` for this process and its children, so use it before importing `tasks.app`.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        concurrency: int | None = None,
        shared: bool = False,
        spawn: Spawn = spawn,
    ) -> None:
        """Prepare the service.

        Args:
            shared: several commands may share the service; the one that started it stops it after the others.
            spawn: starts workers, Flower and the HTTP service.
        """
        self.settings, self.shared, self.spawn = settings, shared, spawn
        self.concurrency = concurrency or os.cpu_count() or 1
        self.broker = EmbeddedBroker(settings.state)
        self.broker_url = settings.broker_url
        """Set on entry if the settings name no broker."""
        self.engines = settings.registry()
        self.processes: list[Process] = []
        self._workers: dict[str, _Worker] = {}
        self._frontends: dict[str, _Frontend] = {}
        self._held: int | None = None
        """Lock file held by commands that use another command's service."""
        self._ended = threading.Event()
        self._keeper: threading.Thread | None = None

    def __enter__(self) -> Self:
        if self.settings.broker_url:
            return self
        self.broker_url = self._find_broker()
        if self.broker.started:
            try:
                self._bring_up()
            except BaseException:
                self._stop()
                raise
        return self

    def _find_broker(self) -> str:
        """URL of the folder's broker; another command's service is locked, so that it keeps running."""
        while True:
            url = self.broker.start()
            if self.broker.started or not self.shared:
                return url
            self._hold(fcntl.LOCK_SH)
            if url_of_running(self.settings.state) == url:
                return url
            self._let_go()  # it was stopping

    def _hold(self, kind: int) -> None:
        if self._held is None:
            self._held = os.open(self.settings.state / _HOLD, os.O_WRONLY | os.O_CREAT, 0o600)
        fcntl.flock(self._held, kind)

    def _let_go(self) -> None:
        if self._held is not None:
            os.close(self._held)
            self._held = None

    def _bring_up(self) -> None:
        model = self.settings.checkpoint(self.settings.model or None)
        profile = self.engines.load(self.settings.engine, model).profile
        check_installed(profile)
        self._return_orphans()
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        slots = self.settings.slots or devices.default_slots(profile, visible)
        for spec in commands.local(profile, self.concurrency, slots, visible):
            self.start(spec)
        self._keeper = threading.Thread(target=self._keep, name="keeper", daemon=True)
        self._keeper.start()

    def start(self, spec: commands.WorkerSpec) -> Process:
        """Start one worker, which ends with this process."""
        command = commands.command(spec, log_level=self.settings.log_level, with_starter=True)
        process = self._spawn(spec.name, command, commands.environment(spec, self.child_settings()))
        early = self._workers[spec.name].early if spec.name in self._workers else 0
        self._workers[spec.name] = _Worker(spec, process, time.monotonic(), early)
        return process

    def child_settings(self) -> Settings:
        """Settings of a process that uses this service."""
        return replace(self.settings, broker_url=self.broker_url)

    def _keep(self) -> None:
        """Restart what was killed; unacknowledged messages of workers are redelivered."""
        while not self._ended.wait(_CHECK_S):
            self._keep_broker()
            for frontend in list(self._frontends.values()):
                self._keep_frontend(frontend)
            for worker in list(self._workers.values()):
                if worker.process.poll() is None or worker.early > _EARLY_MAX:
                    continue
                lived_s = time.monotonic() - worker.started
                worker.early = worker.early + 1 if lived_s < _EARLY_S else 0
                if worker.early > _EARLY_MAX:
                    log.error(
                        "a worker exits after every start; giving up", extra={"worker": worker.spec.name}
                    )
                else:
                    log.warning("a worker exited; restarting it", extra={"worker": worker.spec.name})
                    self._forget(worker.process)
                    self.start(worker.spec)

    def _keep_broker(self) -> None:
        try:
            if self.broker.restart_if_killed():
                log.warning("the process that keeps the broker exited; restarted it")
        except BrokerError as error:
            log.error("the broker cannot be restarted: %s", error)

    def _keep_frontend(self, frontend: _Frontend) -> None:
        if frontend.process.poll() is None:
            return
        lived_s = time.monotonic() - frontend.started
        if lived_s < frontend.wait_s:
            return
        self._forget(frontend.process)
        log.warning("%s exited; restarting it", frontend.name)
        again = self._start_frontend(frontend.name, frontend.command, frontend.environment)
        if lived_s < _EARLY_S + frontend.wait_s:
            again.wait_s = min(2 * frontend.wait_s + 1, _FRONTEND_WAIT_MAX_S)

    def _forget(self, process: Process) -> None:
        self.processes.remove(process)
        if process.stdin:
            process.stdin.close()

    def _spawn(self, name: str, command: list[str], environment: dict[str, str]) -> Process:
        logs = self.settings.state.absolute() / "logs"
        logs.mkdir(mode=0o700, exist_ok=True)
        with open(logs / f"{name}.log", "ab") as log:
            process = self.spawn(command, environment, log)
        self.processes.append(process)
        return process

    def start_flower(self, port: int) -> Path:
        """Start Flower on loopback, ending with this process; returns its password file."""
        password = launch.password_file(self.settings)
        environment = launch.environment(self.child_settings(), with_starter=True)
        self._start_frontend("flower", launch.command(self.settings, port), environment)
        return password

    def start_http(self, command: list[str], environment: dict[str, str]) -> None:
        """Start the HTTP service, ending with this process."""
        self._start_frontend("serve", command, environment)

    def _start_frontend(self, name: str, command: list[str], environment: dict[str, str]) -> _Frontend:
        process = self._spawn(name, command, environment)
        frontend = _Frontend(name, command, environment, process, time.monotonic())
        self._frontends[name] = frontend
        return frontend

    def check(self) -> None:
        """Check the processes of the service.

        Raises:
            ServiceError: a process exited and will not be restarted.
        """
        for process in list(self.processes):
            restarts = any(
                process is worker.process for worker in self._workers.values() if worker.early <= _EARLY_MAX
            ) or any(process is frontend.process for frontend in self._frontends.values())
            if process.poll() is not None and not restarts:
                raise ServiceError(f"a process of the service exited; see {self.settings.state / 'logs'}")

    def wait(self) -> None:
        """Wait until the command is interrupted.

        Raises:
            ServiceError: a process exited and will not be restarted.
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
        """Wait for the commands that use this service, and let no further ones use it."""
        try:
            self._hold(fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.warning("waiting for another command that uses this service")
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

    def _return_orphans(self) -> None:
        """Requeue unacknowledged messages; before any worker runs, they belong to dead ones."""
        options = broker_of(self.settings, self.broker_url).transport_options()
        with Connection(self.broker_url, transport_options=options) as connection:
            kombu_internals.requeue_unacknowledged(connection.default_channel, INTAKE[0])
