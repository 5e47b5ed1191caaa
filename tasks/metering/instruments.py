"""The instruments of one process, and the worker it belongs to."""

import os
import socket
import threading
from dataclasses import dataclass
from typing import ClassVar, Optional

from tasks.metering import process_row
from tasks.metering.meter import Meter
from tasks.metering.sampler import Sampler
from tasks.metering.settings import MeterSettings


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
    Instruments.drop()


def describe_worker(name: str | None, pool: str | None, concurrency: int | None) -> None:
    """Set the worker's name, pool and concurrency, before it forks."""
    worker.name, worker.pool, worker.concurrency = name, pool, concurrency


class Instruments:
    """The meter and the sampler of one process, created at its first attempt and again in a fork."""

    _mine: ClassVar[Optional["Instruments"]] = None
    _making: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, settings: MeterSettings) -> None:
        self.meter = Meter(
            settings,
            {
                "app_version": settings.app_version,
                "host": socket.gethostname(),
                "worker": worker.name,
                "worker_pid": os.getpid(),
                "pool": worker.pool,
                "concurrency": worker.concurrency,
            },
        )
        self.sampler = Sampler(self.meter)
        row = process_row.describe(self.meter.place, self.meter.process, self.meter.gpu)
        self.meter.spool.append("worker_proc", row)

    @classmethod
    def mine(cls) -> Optional["Instruments"]:
        """The instruments of this process; None if metering is off."""
        if cls._mine is None and worker.settings is not None:
            with cls._making:
                if cls._mine is None:
                    cls._mine = Instruments(worker.settings)
        return cls._mine

    @classmethod
    def drop(cls) -> None:
        """Close the instruments; the next attempt creates new ones."""
        mine, cls._mine = cls._mine, None
        if mine is not None:
            mine.sampler.stop()
            mine.meter.close()

    @classmethod
    def rest(cls) -> None:
        """Close the spool's file, so that it can be drained and deleted; the next row opens another."""
        if cls._mine is not None:
            cls._mine.meter.spool.close()

    @classmethod
    def forget(cls) -> None:
        """Drop the parent's instruments in a fork; threads of the parent may hold their locks."""
        mine, cls._mine = cls._mine, None
        cls._making = threading.Lock()
        if mine is not None:
            mine.meter.process.close()
            mine.meter.recorder.close()


os.register_at_fork(after_in_child=Instruments.forget)
