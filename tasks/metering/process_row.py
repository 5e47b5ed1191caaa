"""The row of one process in `worker_proc`."""

import os
import sys
from typing import Any

from pipeline import clock
from tasks.metering.probes.gpu import Gpu
from tasks.metering.probes.linux_counters import Process
from tasks.metering.request_identity import STATS_VERSION, make_uid

Row = dict[str, Any]


def describe(place: Row, process: Process, gpu: Gpu) -> Row:
    """Describe this process, its machine and its devices.

    Args:
        place: columns that are equal in all rows of this process.
    """
    now = clock.now()
    uname = os.uname()
    return {
        "proc_uid": make_uid(now),
        "worker": place["worker"],
        "host": place["host"],
        "pid": process.pid,
        "parent_pid": os.getppid(),
        "pool": place["pool"],
        "concurrency": place["concurrency"],
        "started_at": now,
        "started_epoch": int(now),
        "boot_id": _first_line("/proc/sys/kernel/random/boot_id"),
        "app_version": place["app_version"],
        "stats_version": STATS_VERSION,
        "python_version": sys.version.split()[0],
        "platform": f"{uname.sysname} {uname.release} {uname.machine}",
        "cpu_model": _cpu_model(),
        "cpus": os.cpu_count(),
        "cpus_allowed": process.cpus_allowed,
        "ram_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "mem_limit_bytes": process.mem_limit_bytes,
        "gpus": gpu.describe(),
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
