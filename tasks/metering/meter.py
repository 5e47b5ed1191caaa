"""The instruments of one process, and the worker it belongs to."""

import os
import socket
import sys
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Optional

from db.ingest.spool import Spool
from tasks.metering import linux_counters
from tasks.metering.flight_recorder import Recorder
from tasks.metering.gpu import Gpu
from tasks.metering.request_identity import STATS_VERSION, make_uid
from tasks.metering.sampler import Sampler

if TYPE_CHECKING:
    from tasks.metering.attempt import attempt
from tasks.metering.settings import MeterSettings

Row = dict[str, Any]


@dataclass(slots=True)
class Worker:
    """Facts of the worker that the main process sets and its children inherit."""

    settings: MeterSettings | None = None
    name: str | None = None
    pool: str | None = None
    concurrency: int | None = None


worker = Worker()


def configure(settings: MeterSettings | None) -> None:
    """Turn metering on in this process and its forks; None turns it off."""
    worker.settings = settings
    Meter.drop()


def describe_worker(name: str | None, pool: str | None, concurrency: int | None) -> None:
    """Set the worker's name, pool and concurrency, before it forks."""
    worker.name, worker.pool, worker.concurrency = name, pool, concurrency


def settings() -> MeterSettings | None:
    return worker.settings


class Meter:
    """The instruments of one process, created at its first attempt and again in a fork."""

    _mine: ClassVar[Optional["Meter"]] = None
    _making: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, settings: MeterSettings) -> None:
        self.settings = settings
        self.process = linux_counters.Process()
        self.spool = Spool(settings.spool)
        self.recorder = Recorder(settings.recorders)
        self.gpu = Gpu.probe()
        self.lock = threading.Lock()
        self.active: list[attempt] = []
        self.begun = 0
        self.last_run_s: dict[str, float] = {}
        """Duration of the last attempt, by task."""
        self._last = self._read()
        self.sampler = Sampler(self)
        self.place: Row = {
            "app_version": settings.app_version,
            "host": socket.gethostname(),
            "worker": worker.name,
            "worker_pid": self.process.pid,
            "pool": worker.pool,
            "concurrency": worker.concurrency,
        }
        """Columns that are equal in all rows of this process."""
        self.spool.append("worker_proc", _describe_process(self))

    @classmethod
    def mine(cls) -> Optional["Meter"]:
        """The meter of this process; None if metering is off."""
        if cls._mine is None and worker.settings is not None:
            with cls._making:
                if cls._mine is None:
                    cls._mine = Meter(worker.settings)
        return cls._mine

    @classmethod
    def drop(cls) -> None:
        """Close the instruments; the next attempt creates new ones."""
        mine, cls._mine = cls._mine, None
        if mine is not None:
            mine.sampler.stop()
            mine.process.close()
            mine.recorder.close()
            mine.spool.close()

    @classmethod
    def rest(cls) -> None:
        """Close the spool's file, so that it can be drained and deleted; the next row opens another."""
        if cls._mine is not None:
            cls._mine.spool.close()

    @classmethod
    def forget(cls) -> None:
        """Drop the parent's instruments in a fork; threads of the parent may hold their locks."""
        mine, cls._mine = cls._mine, None
        cls._making = threading.Lock()
        if mine is not None:
            mine.process.close()
            mine.recorder.close()

    def _read(self, *, all_of_them: bool = True) -> list[float]:
        """Read the process' counters and, last, the clock."""
        return [*self.process.read(all_of_them=all_of_them), time.perf_counter()]

    def share_out(self, joining: Optional["attempt"] = None) -> None:
        """Divide the use since the last call among the attempts that ran. The caller holds the lock.

        Args:
            joining: an attempt that starts now.
        """
        concerned = [*self.active, joining] if joining is not None else self.active
        now = self._read(all_of_them=any(one.worth_all for one in concerned))
        if self.active:
            parts = len(self.active)
            used = [(new - old) / parts for new, old in zip(now, self._last, strict=True)]
            for running in self.active:
                running.used = [have + more for have, more in zip(running.used, used, strict=True)]
        self._last = now


def _describe_process(meter: Meter) -> Row:
    now = time.time()
    uname = os.uname()
    return {
        "proc_uid": make_uid(now),
        "worker": worker.name,
        "host": meter.place["host"],
        "pid": meter.process.pid,
        "parent_pid": os.getppid(),
        "pool": worker.pool,
        "concurrency": worker.concurrency,
        "started_at": now,
        "started_epoch": int(now),
        "boot_id": _first_line("/proc/sys/kernel/random/boot_id"),
        "app_version": meter.settings.app_version,
        "stats_version": STATS_VERSION,
        "python_version": sys.version.split()[0],
        "platform": f"{uname.sysname} {uname.release} {uname.machine}",
        "cpu_model": _cpu_model(),
        "cpus": os.cpu_count(),
        "cpus_allowed": meter.process.cpus_allowed,
        "ram_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "mem_limit_bytes": meter.process.mem_limit_bytes,
        "gpus": meter.gpu.describe(),
    }


def _first_line(path: str) -> str | None:
    try:
        with open(path) as file:
            return file.readline().strip()
    except OSError:
        return None


def _cpu_model() -> str | None:
    try:
        with open("/proc/cpuinfo") as file:
            return next(
                (line.partition(":")[2].strip() for line in file if line.startswith("model name")), None
            )
    except OSError:
        return None


os.register_at_fork(after_in_child=Meter.forget)
