"""Resource usage of one attempt while it runs: the record that its meter, sampler and attempt share."""

import time
from dataclasses import dataclass, field
from typing import Any

from tasks.metering.probes import linux_counters
from tasks.metering.probes.gpu import GpuRun

Row = dict[str, Any]


@dataclass(slots=True, eq=False)
class Usage:
    """Written by the attempt's thread and by the sampler, under the meter's lock where both do."""

    row: Row = field(default_factory=dict)
    """Columns known at the start: identity, process and machine."""
    facts: Row = field(default_factory=dict)
    """Facts noted by the body."""
    used: list[float] = field(default_factory=lambda: [0.0] * (len(linux_counters.NAMES) + 1))
    """The attempt's share of the process' counters and, last, of the time."""
    worth_all: bool = True
    """True to read the counters that explain slowness."""
    overlap_max: int = 1
    slot: int = -1
    """Slot of the flight recorder."""
    clock: float = field(default_factory=time.perf_counter)
    """Start of the body (`time.perf_counter`)."""
    rss_start_bytes: int | None = None
    rss_samples: list[int] = field(default_factory=list)
    children_rss_peak_bytes: int | None = None
    threads_peak: int = 0
    sampler_cpu_s: float = 0.0
    cpu_energy_start_j: float | None = None
    gpu: GpuRun | None = None
