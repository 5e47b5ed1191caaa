"""Linux counters of this process and its cgroup: CPU, memory, IO. A missing counter is UNKNOWN or None.

Files of /proc and the cgroup stay open and take a few microseconds to read. psutil is ten times slower and
counts CPU in ticks of 10 ms.
"""

import math
import os
import resource
from collections.abc import Iterator
from pathlib import Path

from pipeline.cgroup import memory_limit_bytes, own_cgroups

NAMES = (
    "cpu_user_s",
    "cpu_system_s",
    "cpu_children_s",
    "cpu_wait_s",
    "cpu_throttled_s",
    "cpu_psi_s",
    "ctx_vol",
    "ctx_invol",
    "faults_minor",
    "faults_major",
    "io_rchar",
    "io_wchar",
    "io_read_calls",
    "io_write_calls",
    "io_read_bytes",
    "io_write_bytes",
    "oom_kills",
)
"""Counters of `Process.read`, in its order. They only grow, so differences can be divided among attempts."""

UNKNOWN = math.nan
"""Value of a counter that this machine lacks. It survives arithmetic and becomes NULL in the row."""

_PAGE = os.sysconf("SC_PAGE_SIZE")
_ROLLUP_S_PER_BYTE = 17.6e-3 / 1.5e9
"""Measured time to read smaps_rollup, which is proportional to resident memory."""


class Process:
    """Counters of the creating process. A forked child creates its own."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        cgroup = _Cgroup()
        self._statm = _open("/proc/self/statm")
        self._status = _open("/proc/self/status")
        self._io = _open("/proc/self/io")
        self._clear_refs = _open("/proc/self/clear_refs", os.O_WRONLY)
        self._throttled = cgroup.throttled
        self._psi = cgroup.psi
        self._oom = cgroup.oom
        self._peak = cgroup.peak
        self._schedstat: dict[str, int | None] = {}
        self._waited_ns: dict[str, int] = {}
        self._waited_in_all_ns = 0
        self.mem_limit_bytes = memory_limit_bytes()
        self.cpus_allowed = len(os.sched_getaffinity(0))

    def read(self, *, all_of_them: bool = True) -> list[float]:
        """Read the counters, in the order of `NAMES`.

        Args:
            all_of_them: include the counters that explain slowness (waits, throttling), which take longer.
        """
        own = resource.getrusage(resource.RUSAGE_SELF)
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        return [
            own.ru_utime,
            own.ru_stime,
            children.ru_utime + children.ru_stime,
            *((self._run_queue_s(), self._throttled(), self._psi()) if all_of_them else (UNKNOWN,) * 3),
            own.ru_nvcsw,
            own.ru_nivcsw,
            own.ru_minflt,
            own.ru_majflt,
            *self._io_counts(),
            self._oom() if all_of_them else UNKNOWN,
        ]

    def rss_bytes(self) -> int | None:
        data = _read(self._statm, 128)
        return int(data.split(None, 2)[1]) * _PAGE if data else None

    def reset_peak(self) -> bool:
        """Reset the kernel's high-water mark of resident memory to the current value.

        This also resets `getrusage().ru_maxrss`, which Celery's `worker_max_memory_per_child` reads.
        """
        if self._clear_refs is None:
            return False
        try:
            os.write(self._clear_refs, b"5")
        except OSError:
            return False
        return True

    def status(self) -> dict[bytes, int]:
        """Read `VmHWM` (peak), `VmRSS` and `VmSwap` in bytes, and the number of `Threads`."""
        data = _read(self._status, 4096)
        found: dict[bytes, int] = {}
        start = data.find(b"VmHWM:")
        for line in data[start:].splitlines() if start >= 0 else ():
            name, _, rest = line.partition(b":")
            if name in _STATUS:
                found[name] = int(rest.split(None, 1)[0]) * _STATUS[name]
            if name == b"Threads":
                break
        return found

    def children_rss_bytes(self) -> int:
        """Sum of the resident memory of all descendants; shared pages count more than once."""
        return sum(_rss_of(pid) for pid in _descendants(self.pid))

    def shares_bytes(self, rss_bytes: int, allowance_s: float) -> tuple[int, int] | None:
        """Proportional (PSS) and unique (USS) memory; None if reading them would exceed `allowance_s`."""
        if rss_bytes * _ROLLUP_S_PER_BYTE > allowance_s:
            return None
        sizes = smaps_rollup(self.pid)
        return None if sizes is None else (sizes[b"Pss"], sizes[b"Private_Clean"] + sizes[b"Private_Dirty"])

    def cgroup_peak_bytes(self) -> float:
        """Lifetime peak of the cgroup's memory; meaningful for an attempt only if it rose meanwhile."""
        return self._peak()

    def close(self) -> None:
        for file in (self._statm, self._status, self._io, self._clear_refs, *self._schedstat.values()):
            if file is not None:
                os.close(file)
        for reader in (self._throttled, self._psi, self._oom, self._peak):
            reader.close()

    def _io_counts(self) -> list[float]:
        data = _read(self._io, 512)
        if not data:
            return [UNKNOWN] * 6
        return [int(line[line.index(b":") + 1 :]) for line in data.splitlines()[:6]]

    def _run_queue_s(self) -> float:
        """Time that threads were runnable with no free core.

        Ended threads keep their last known value, since a sum over live threads would fall.
        """
        try:
            threads = os.listdir("/proc/self/task")
        except OSError:
            return UNKNOWN
        if len(threads) < len(self._schedstat):
            self._forget_ended(set(threads))
        for thread in threads:
            if thread not in self._schedstat:
                self._schedstat[thread] = _open(f"/proc/self/task/{thread}/schedstat")
            data = _read(self._schedstat[thread], 64)
            if data:
                waited_ns = int(data.split()[1])
                self._waited_in_all_ns += max(0, waited_ns - self._waited_ns.get(thread, 0))
                self._waited_ns[thread] = waited_ns
        return self._waited_in_all_ns / 1e9

    def _forget_ended(self, alive: set[str]) -> None:
        for thread in self._schedstat.keys() - alive:
            self._waited_ns.pop(thread, None)
            file = self._schedstat.pop(thread)
            if file is not None:
                os.close(file)


_STATUS = {b"VmHWM": 1024, b"VmRSS": 1024, b"VmSwap": 1024, b"Threads": 1}


class _Counter:
    """Reader of one number in a file: the word after `key`, times `scale`. UNKNOWN without such a file."""

    def __init__(self, path: Path | None, key: bytes, scale: float) -> None:
        self._file = _open(path) if path is not None else None
        self._key, self._scale = key, scale

    def __call__(self) -> float:
        data = _read(self._file, 4096)
        start = data.find(self._key)
        if start < 0:
            return UNKNOWN
        words = data[start + len(self._key) :].split(None, 1)
        return int(words[0]) * self._scale if words and words[0].isdigit() else UNKNOWN

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)


class _Cgroup:
    """Counters of the process' cgroup, version 2 or 1."""

    def __init__(self) -> None:
        groups = own_cgroups()
        unified, memory, cpu = groups.unified, groups.memory, groups.cpu
        if unified is not None:
            self.throttled = _Counter(unified / "cpu.stat", b"throttled_usec ", 1e-6)
            self.oom = _Counter(unified / "memory.events", b"oom_kill ", 1)
            self.peak = _Counter(unified / "memory.peak", b"", 1)
        else:
            self.throttled = _Counter(cpu and cpu / "cpu.stat", b"throttled_time ", 1e-9)
            self.oom = _Counter(memory and memory / "memory.oom_control", b"oom_kill ", 1)
            self.peak = _Counter(memory and memory / "memory.max_usage_in_bytes", b"", 1)
        pressure = unified / "cpu.pressure" if unified is not None else Path("/proc/pressure/cpu")
        self.psi = _Counter(pressure, b"total=", 1e-6)

    def close(self) -> None:
        for counter in (self.throttled, self.oom, self.peak, self.psi):
            counter.close()


def smaps_rollup(pid: int) -> dict[bytes, int] | None:
    """Read the memory of a process in bytes, by kind (`Pss`, `Private_Clean`, …); None if it has ended."""
    try:
        data = Path(f"/proc/{pid}/smaps_rollup").read_bytes()
    except OSError:
        return None
    fields = (line.partition(b":") for line in data.splitlines()[1:])
    return {name: int(rest.split(None, 1)[0]) * 1024 for name, _, rest in fields} or None


def oom_kills() -> tuple[float, str]:
    """Number of processes the kernel killed for memory, and its scope: cgroup or host."""
    cgroup = _Cgroup()
    in_cgroup = cgroup.oom()
    cgroup.close()
    if not math.isnan(in_cgroup):
        return in_cgroup, "cgroup"
    vmstat = Path("/proc/vmstat").read_bytes() if os.path.exists("/proc/vmstat") else b""
    start = vmstat.find(b"oom_kill ")
    return (float(vmstat[start:].split(None, 2)[1]) if start >= 0 else UNKNOWN), "host"


def _open(path: str | Path, flags: int = os.O_RDONLY) -> int | None:
    try:
        return os.open(path, flags)
    except OSError:
        return None


def _read(file: int | None, size: int) -> bytes:
    if file is None:
        return b""
    try:
        return os.pread(file, size, 0)
    except OSError:  # the thread has ended, or the file system refuses
        return b""


def _descendants(pid: int) -> Iterator[int]:
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return
    for task in tasks:
        try:
            children = Path(f"/proc/{pid}/task/{task}/children").read_bytes().split()
        except OSError:
            continue
        for child in map(int, children):
            yield child
            yield from _descendants(child)


def _rss_of(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_bytes().split(None, 2)[1]) * _PAGE
    except OSError:
        return 0
