"""Tests of CPU energy on a tree like the kernel's powercap interface."""

from pathlib import Path

import pytest
from celery import Celery

from tasks.metering import attempt as metering
from tasks.metering import instruments
from tasks.metering.instruments import Instruments
from tasks.metering.probes.rapl import PackageEnergy, problem
from tasks.metering.settings import MeterSettings

RANGE_UJ = 262_143_328_850


def nothing() -> None:
    """Body of a task."""


def zone(root: Path, name: str, kind: str, energy_uj: int) -> Path:
    folder = root / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "name").write_text(f"{kind}\n")
    (folder / "max_energy_range_uj").write_text(f"{RANGE_UJ}\n")
    counter = folder / "energy_uj"
    counter.write_text(f"{energy_uj}\n")
    return counter


def test_packages_are_added_and_their_parts_are_not(tmp_path: Path) -> None:
    first = zone(tmp_path, "intel-rapl:0", "package-0", 5_000_000)
    second = zone(tmp_path, "intel-rapl:1", "package-1", 7_000_000)
    core = zone(tmp_path, "intel-rapl:0:0", "core", 1_000_000)
    platform = zone(tmp_path, "intel-rapl:2", "psys", 1_000_000)
    energy = PackageEnergy(tmp_path)
    assert energy.joules() == 0
    for counter, grown in ((first, 3), (second, 4), (core, 100), (platform, 100)):
        counter.write_text(str(int(counter.read_text()) + grown * 1_000_000))
    assert energy.joules() == pytest.approx(7)
    assert problem(tmp_path) is None


def test_counters_wrap_around(tmp_path: Path) -> None:
    counter = zone(tmp_path, "intel-rapl:0", "package-0", RANGE_UJ - 2_000_000)
    energy = PackageEnergy(tmp_path)
    for value, expected in ((RANGE_UJ - 1, 2), (1_000_000, 3), (RANGE_UJ - 1_000_000, 262_144), (0, 262_145)):
        counter.write_text(str(value))
        assert energy.joules() == pytest.approx(expected, rel=1e-4)


def test_machines_without_counters_say_so(tmp_path: Path) -> None:
    assert PackageEnergy(tmp_path / "none").joules() is None
    assert "no RAPL counters" in (problem(tmp_path / "none") or "")
    counter = zone(tmp_path, "intel-rapl:0", "package-0", 1)
    counter.unlink()
    counter.mkdir()  # unreadable, also for root
    assert PackageEnergy(tmp_path).joules() is None
    assert problem(tmp_path) == f"{counter} is not readable by this user"


def test_attempts_have_the_energy_of_their_time(tmp_path: Path) -> None:
    counter = zone(tmp_path, "intel-rapl:0", "package-0", 1_000_000)
    instruments.configure(MeterSettings(folder=tmp_path / "history", powercap=tmp_path))
    try:
        with Celery("tests") as app:
            task = app.task(name="t")(nothing)
        with metering.attempt(task) as measured:
            counter.write_text("4500000")
        row = measured.usage.row
    finally:
        instruments.configure(None)
        Instruments.drop()
    assert (row["cpu_energy_j"], row["energy_method"], row["energy_scope"]) == (3.5, "rapl", "host_shared")
