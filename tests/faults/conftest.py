"""Fixtures: a fleet with short timeouts and a misbehaving engine; each test leaves it intact."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bench.harness.fleet import Fleet
from tests.faults.mischief import SETTING

collect_ignore = ["caller.py", "neighbour.py"]  # apps that the environment configures

TIMEOUT_S = 3
SETTINGS = {
    "VOXCHORD_ENGINE": "mischief",
    "VOXCHORD_ENGINES": SETTING,
    "VOXCHORD_VISIBILITY_TIMEOUT_S": str(TIMEOUT_S),
    "VOXCHORD_RECONCILE_S": "1",
    "VOXCHORD_STALLED_S": "4",
    "VOXCHORD_HUNG_S": "4",
}
STAGES = "gpu.diffusion,gpu.speaker,cpu.stitch,cpu.verify,cpu.semantic,cpu.text"


@contextmanager
def running_fleet(folder: Path, **options: Any) -> Iterator[Fleet]:
    """Intake and two workers of all stages, ready."""
    layout = {"intake": "voxchord", "work0": STAGES, "work1": STAGES}
    with Fleet(folder, settings=SETTINGS, layout=layout, forked=True, **options) as fleet:
        fleet.start()
        fleet.ready()
        yield fleet


@pytest.fixture(scope="package")
def shared_fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with running_fleet(tmp_path_factory.mktemp("fleet")) as fleet:
        yield fleet


@pytest.fixture
def fleet(shared_fleet: Fleet) -> Iterator[Fleet]:
    yield shared_fleet
    shared_fleet.restart_exited()
