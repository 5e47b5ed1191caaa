"""Settings of the metering of one process."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class MeterSettings:
    folder: Path
    """Where rows wait and running attempts are recorded; on this machine, shared by its workers."""
    app_version: str | None = None
    reset_peak: bool = True
    """Reset the kernel's mark of peak memory before each attempt (it also resets `ru_maxrss`)."""
    sample_after_s: float | None = 30.0
    """Keep a series of samples of attempts that run longer; None for none."""

    @property
    def spool(self) -> Path:
        return self.folder / "spool"

    @property
    def recorders(self) -> Path:
        return self.folder / "open"
