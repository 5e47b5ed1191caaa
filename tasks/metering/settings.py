"""Settings of the metering of one process."""

from dataclasses import dataclass
from pathlib import Path

from tasks.metering.probes import rapl


@dataclass(frozen=True, slots=True)
class MeterSettings:
    folder: Path
    """Folder of spool and flight recorders, on this machine and shared by its workers."""
    app_version: str | None = None
    reset_peak: bool = True
    """Reset the kernel's high-water mark of memory before each attempt (also resets `ru_maxrss`)."""
    sample_after_s: float | None = 30.0
    """Record a series of samples of attempts that run longer; None for none."""

    powercap: Path = rapl.ROOT
    """Folder of the kernel's energy counters."""

    @property
    def spool(self) -> Path:
        return self.folder / "spool"

    @property
    def recorders(self) -> Path:
        return self.folder / "open"
