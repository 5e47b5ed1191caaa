"""One clock for all processes of a service, in seconds since the epoch.

Clocks of machines differ, sometimes by minutes. A process that has asked the server that all of them share
counts from its answer by the kernel's clock since boot, which nobody sets. All processes of a
machine share that clock, so one may pass its `offset` to another (`adopt`).
"""

import time

_offset_s: float | None = None


def now() -> float:
    """Current time; by this machine's clock as long as the process is not synchronised."""
    return time.time() if _offset_s is None else since_boot() + _offset_s


def offset() -> float | None:
    """Seconds from the clock since boot to the service's clock; None if it is not known."""
    return _offset_s


def adopt(offset_s: float | None) -> None:
    """Take over the offset of another process of this machine."""
    global _offset_s  # noqa: PLW0603 - a process has one clock
    _offset_s = offset_s


def since_boot() -> float:
    """Seconds since this machine started."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
