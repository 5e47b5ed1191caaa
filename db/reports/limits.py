"""Use of memory, cores and device by each stage, against what was allowed, as in jobstats.

https://github.com/PrincetonUniversity/jobstats
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from db.reports.job_timeline import JobTimeline, cpu_s

Row = dict[str, Any]

HIGH = 0.85
"""Share of a limit above which work is at risk."""
LOW = 0.2
"""Share of a memory limit below which a smaller one would do."""


@dataclass(frozen=True, slots=True)
class Use:
    """Use of one resource by a stage."""

    resource: str
    used: float
    allowed: float
    unit: str
    peak: bool
    """True for a peak, which must stay below the limit; False for a mean."""

    @property
    def share(self) -> float:
        return self.used / self.allowed

    @property
    def high(self) -> bool:
        return self.peak and self.share > HIGH

    def __str__(self) -> str:
        """
        >>> str(Use("memory", 512.0, 2048.0, "MiB", peak=True))
        '512 of 2048 MiB, 25 %'
        """
        digits = 0 if self.unit == "MiB" else 1
        return f"{self.used:.{digits}f} of {self.allowed:.{digits}f} {self.unit}, {100 * self.share:.0f} %"


def uses(timeline: JobTimeline) -> dict[str, list[Use]]:
    """Measured uses of each stage that has a limit, by task name."""
    found = {name: list(_uses(rows)) for name, rows in timeline.by_stage().items()}
    return {name: each for name, each in found.items() if each}


def memory_limit_for(use: Use) -> float:
    """Memory limit that leaves a margin of a half above a peak, in whole units.

    >>> memory_limit_for(Use("memory", 100.0, 4096.0, "MiB", peak=True))
    150.0
    """
    return float(round(1.5 * use.used))


def _uses(rows: list[Row]) -> Iterator[Use]:
    memory = _largest(rows, ("cgroup_peak_bytes", "rss_peak_bytes"), "mem_limit_bytes")
    if memory:
        yield Use("memory", memory[0] / 2**20, memory[1] / 2**20, "MiB", peak=True)
    measured = [
        row for row in rows if row["cpu_user_s"] is not None and row["share_s"] and row["cpus_allowed"]
    ]
    share_s = sum(row["share_s"] for row in measured)
    if share_s:
        allowed_s = sum(row["share_s"] * row["cpus_allowed"] / (row["concurrency"] or 1) for row in measured)
        yield Use("CPU", sum(map(cpu_s, measured)) / share_s, allowed_s / share_s, "cores", peak=False)
    gpu = _largest(rows, ("gpu_mem_device_peak_bytes", "gpu_mem_reserved_peak_bytes"), "gpu_mem_total_bytes")
    if gpu:
        yield Use("GPU memory", gpu[0] / 2**20, gpu[1] / 2**20, "MiB", peak=True)


def _largest(rows: list[Row], peaks: tuple[str, ...], limit: str) -> tuple[int, int] | None:
    """Peak and limit of the attempt that came closest to its limit; the first measured peak counts."""
    pairs = [
        (int(next(row[name] for name in peaks if row[name])), int(row[limit]))
        for row in rows
        if row[limit] and any(row[name] for name in peaks)
    ]
    return max(pairs, key=lambda pair: pair[0] / pair[1], default=None)
