"""The meter of one process: its counters, its files, and the attempts that run."""

import threading
import time
from typing import Any

from db.ingest.spool import Spool
from tasks.metering.flight_recorder import Recorder
from tasks.metering.probes import linux_counters
from tasks.metering.probes.gpu import Gpu
from tasks.metering.probes.rapl import PackageEnergy
from tasks.metering.settings import MeterSettings
from tasks.metering.usage import Usage

Row = dict[str, Any]


class Meter:
    """Reads what the process uses and divides it among its running attempts.

    Args:
        place: columns that are equal in all rows of this process.
    """

    def __init__(self, settings: MeterSettings, place: Row) -> None:
        self.settings, self.place = settings, place
        self.process = linux_counters.Process()
        self.spool = Spool(settings.spool)
        self.recorder = Recorder(settings.recorders)
        self.gpu = Gpu.probe()
        self.energy = PackageEnergy(settings.powercap)
        self.lock = threading.Lock()
        self.active: list[Usage] = []
        self.begun = 0
        self.last_run_s: dict[str, float] = {}
        """Duration of the last attempt, by task."""
        self._last = self._read()

    def close(self) -> None:
        self.process.close()
        self.recorder.close()
        self.spool.close()

    def share_out(self, joining: Usage | None = None) -> None:
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

    def _read(self, *, all_of_them: bool = True) -> list[float]:
        """Read the process' counters and, last, the clock."""
        return [*self.process.read(all_of_them=all_of_them), time.perf_counter()]
