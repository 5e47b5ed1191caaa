"""Energy of the CPU packages from RAPL counters, through the kernel's powercap interface.

https://docs.kernel.org/power/powercap/powercap.html. The counters are those of the whole machine. They wrap
around, within half an hour under load, so they are read once a second (`tasks.metering.sampler`).
"""

import threading
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/sys/class/powercap")


@dataclass(slots=True)
class _Zone:
    """One CPU package."""

    path: Path
    range_uj: int
    last_uj: int


class PackageEnergy:
    """Sum of the energy of all CPU packages since the creation of this object."""

    def __init__(self, root: Path = ROOT) -> None:
        self._lock = threading.Lock()
        self._total_uj = 0
        self._zones = [zone for path in _packages(root) if (zone := _zone(path)) is not None]

    def joules(self) -> float | None:
        """Energy so far; None if this machine has no readable counters."""
        if not self._zones:
            return None
        with self._lock:
            for zone in self._zones:
                now_uj = _number(zone.path / "energy_uj")
                if now_uj is None:  # the right to read was withdrawn
                    self._zones = []
                    return None
                grown = now_uj - zone.last_uj
                self._total_uj += grown if grown >= 0 else grown + zone.range_uj
                zone.last_uj = now_uj
            return self._total_uj / 1e6


def problem(root: Path = ROOT) -> str | None:
    """Reason why the energy of the CPU cannot be measured; None if it can."""
    packages = _packages(root)
    if not packages:
        return "this machine has no RAPL counters: a virtual machine, or another kind of CPU"
    unreadable = [path for path in packages if _number(path / "energy_uj") is None]
    return f"{unreadable[0] / 'energy_uj'} is not readable by this user" if unreadable else None


def _packages(root: Path) -> list[Path]:
    """Zones of whole packages; their parts and other control types would count twice."""
    zones = sorted(root.glob("intel-rapl:*")) if root.is_dir() else []
    return [zone for zone in zones if _text(zone / "name").startswith("package")]


def _zone(path: Path) -> _Zone | None:
    range_uj, now_uj = _number(path / "max_energy_range_uj"), _number(path / "energy_uj")
    return None if range_uj is None or now_uj is None else _Zone(path, range_uj, now_uj)


def _number(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text.isdigit() else None


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
