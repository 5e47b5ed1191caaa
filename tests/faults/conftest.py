"""Fixtures: a fleet with short timeouts and a misbehaving engine; each test leaves it intact."""

from collections.abc import Iterator

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


@pytest.fixture(scope="package")
def shared_fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    layout = {"intake": "voxchord", "work0": STAGES, "work1": STAGES}
    with Fleet(tmp_path_factory.mktemp("fleet"), settings=SETTINGS, layout=layout) as fleet:
        fleet.start()
        fleet.ready()
        yield fleet


@pytest.fixture
def fleet(shared_fleet: Fleet) -> Iterator[Fleet]:
    yield shared_fleet
    gone = [name for name, process in shared_fleet.workers.items() if process.poll() is not None]
    if gone:
        shared_fleet.start(*gone)
        shared_fleet.ready(*gone)
