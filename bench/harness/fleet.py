"""Fleet of real workers with a real broker and store in one folder, for tests that kill them."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import psutil
from celery import Celery

from bench.harness import forked, results
from bench.harness.waiting import until
from pipeline.jobs.jobs import Jobs
from pipeline.store.artifacts import Store
from tasks.broker.queues import PRIORITY_STEPS
from tasks.local.processes import Process, spawn
from tasks.local.valkey import Valkey
from tasks.orchestration.roots import Roots

_SEP = "\x06\x16"
"""Separator that kombu puts between a queue's name and its priority."""
QUICK = {
    "VOXCHORD_VISIBILITY_TIMEOUT_S": "6",
    "VOXCHORD_RECONCILE_S": "2",
    "VOXCHORD_STALLED_S": "9",
}
"""Timeouts shorter than the defaults, so that a fault takes seconds."""
LAYOUT: Mapping[str, str] = {
    "intake": "voxchord",
    "cpu": "cpu.stitch,cpu.verify,cpu.semantic,cpu.text",
    "gpu0": "gpu.diffusion,gpu.speaker",
    "gpu1": "gpu.diffusion,gpu.speaker",
}


class Fleet:
    """A broker and named workers; stops what it started.

    The workers read a pipe that only this process holds, so they end with it however it ends.
    """

    def __init__(
        self,
        folder: Path,
        *,
        settings: Mapping[str, str] | None = None,
        store: Path | None = None,
        store_url: str | None = None,
        broker_url: str | None = None,
        app: Celery | None = None,
        layout: Mapping[str, str] = LAYOUT,
        pools: Mapping[str, Sequence[str]] | None = None,
        skews_s: Mapping[str, float] | None = None,
        broker_config: Mapping[str, str] | None = None,
        forked: bool = False,
    ) -> None:
        """Prepare a fleet.

        Args:
            settings: environment variables of the workers.
            store: folder of the store, by default one below `folder`.
            store_url: URL of a store that is not a folder.
            broker_url: another broker; the embedded server then stores the results.
            app: sending app, by default a plain client.
            layout: queues by worker name.
            pools: Celery's pool options by worker name, by default a prefork pool of one.
            skews_s: seconds by which the clocks of workers are ahead, by name.
            broker_config: more settings of the embedded server.
            forked: fork the workers from a process that has imported what they need.
        """
        self.folder, self.forked = folder, forked
        folder.mkdir(parents=True, exist_ok=True)
        self.store = store or folder / "store"
        self.store_url = store_url or str(self.store)
        self.layout, self.pools, self.skews_s = layout, pools or {}, skews_s or {}
        config: dict[str, Any] = {
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            **(broker_config or {}),
        }
        self._valkey = Valkey(folder / "broker", **config)
        self._valkey.start()
        self.workers: dict[str, Process] = {}
        self._logged: dict[str, int] = {}
        self._sign_of_life, self._alive = os.pipe()
        self.environment = {
            **os.environ,
            "VOXCHORD_STATE": str(folder / "state"),
            "VOXCHORD_STORE": self.store_url,
            "VOXCHORD_BROKER_URL": broker_url or self.url,
            "VOXCHORD_RESULT_URL": self.url,
            "VOXCHORD_LOG_LEVEL": "INFO",
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            **(settings or {}),
        }
        self.jobs = Jobs(Store(self.store_url))
        self.roots = Roots(self.jobs)
        self.app = app or Celery("another-app", broker=broker_url or self.url, backend=self.url)
        self.app.conf.broker_connection_retry_on_startup = True

    # -- the broker --------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        return self._valkey.url

    @property
    def client(self) -> Any:
        return self._valkey.client

    @property
    def broker_pid(self) -> int:
        return self._valkey.pid

    def start_broker(self) -> None:
        self._valkey.start()

    def kill_broker(self) -> None:
        self._valkey.kill()

    # -- workers -----------------------------------------------------------------------------------------

    def start(self, *names: str) -> None:
        for name in names or self.layout:
            skew = ["bench.harness.skewed", str(self.skews_s[name])] if name in self.skews_s else ["celery"]
            command = [sys.executable, "-m", *skew, "-A", "tasks.app", "worker", "-n", f"{name}@%h"]
            command += ["-Q", self.layout[name], "--without-gossip", "--without-mingle", "--with-starter"]
            command += ["--loglevel", self.environment["VOXCHORD_LOG_LEVEL"]]
            command += self.pools.get(name, ("-P", "prefork", "-c", "1"))
            with (self.folder / f"{name}.log").open("ab") as log:
                self._logged[name] = log.tell()
                self.workers[name] = self._spawn(command, log)

    def _spawn(self, command: Sequence[str], log: IO[bytes]) -> Process:
        if self.forked and forked.is_celery(command):
            return forked.start(command, self.environment, log, self._sign_of_life)
        return spawn(command, self.environment, log, self._sign_of_life)

    def ready(self, *names: str, timeout_s: float = 240) -> None:
        """Wait until each of these workers has logged that it is ready, once per start."""
        for name in names or self.workers:
            until(lambda name=name: b" ready." in self.log(name), timeout_s)  # type: ignore[misc]

    def restart_exited(self) -> None:
        """Start workers that exited again and wait until they are ready, as a supervisor does."""
        exited = [name for name, process in self.workers.items() if process.poll() is not None]
        if exited:
            self.start(*exited)
            self.ready(*exited)

    def log(self, name: str) -> bytes:
        """Log of a worker since its last start."""
        return (self.folder / f"{name}.log").read_bytes()[self._logged[name] :]

    def kill(self, name: str) -> None:
        """Kill a whole worker, main process and children, as a power failure would."""
        os.killpg(self.workers[name].pid, signal.SIGKILL)
        self.workers[name].wait()

    def children(self, name: str) -> list[psutil.Process]:
        return list(psutil.Process(self.workers[name].pid).children(recursive=True))

    def stop(self) -> None:
        for process in self.workers.values():
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGCONT)
                process.terminate()
        for process in self.workers.values():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        for end in (self._sign_of_life, self._alive):
            os.close(end)
        results.close(self.app)
        self._valkey.stop()

    def __enter__(self) -> "Fleet":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # -- work --------------------------------------------------------------------------------------------

    def send(self, script: Any, options: Mapping[str, Any] | None = None, **more: Any) -> Any:
        kwargs = {"script": script, "voices": {}, "options": dict(options or {})}
        return self.app.send_task("voxchord.render", kwargs=kwargs, queue="voxchord", **more)

    def job(self, known: Iterable[str] = ()) -> str:
        """Wait until a job is planned that is not among the known; returns its ID."""
        return until(lambda: self.planned().difference(known), 60).pop()

    def planned(self) -> set[str]:
        """IDs of the open jobs that have a plan."""
        return {plan.job for plan in self.jobs.plans.open_jobs()}

    def payloads(self) -> Iterator[tuple[str, bytes]]:
        """All messages in queues, with their lists."""
        for queue in {queue for queues in self.layout.values() for queue in queues.split(",")}:
            for step in PRIORITY_STEPS:
                key = f"{queue}{_SEP}{step}" if step else queue
                for payload in self.client.lrange(key, 0, 50):
                    yield key, payload

    def trying(self, stage: str) -> list[tuple[str, int]]:
        """(job, process ID) of the running attempts of a stage."""
        found = []
        for job in self.jobs.coordination.opened():
            for name, _, _ in list(self.jobs.store.objects.names(f"jobs/{job}/tries")):
                entry = self.jobs.store.get_json(name) if f"{stage}." in name else None
                if entry and psutil.pid_exists(entry["pid"]):
                    found.append((job, int(entry["pid"])))
        return found
