"""Tests of a worker with a permanent device fault."""

from pathlib import Path

import pytest

from bench.harness.fleet import Fleet
from tests.faults.conftest import SETTINGS
from tests.faults.lost import SETTING

pytestmark = pytest.mark.slow
LAYOUT = {
    "intake": "voxchord",
    "cpu": "cpu.text,cpu.semantic,cpu.verify,cpu.stitch",
    "gpu": "gpu.speaker,gpu.diffusion",
}


def test_workers_with_lost_devices_exit_and_the_next_takes_over(tmp_path: Path) -> None:
    """Check that it reports the fault and requeues its work; no segment fails."""
    script = " ".join(f"Number {n} of the sentences in this script." for n in range(12))
    settings = {**SETTINGS, "VOXCHORD_ENGINE": "lost", "VOXCHORD_ENGINES": SETTING}
    with Fleet(
        tmp_path, settings=settings, layout=LAYOUT, pools={"gpu": ("-P", "threads", "-c", "4")}, forked=True
    ) as fleet:
        fleet.start()
        fleet.ready()
        asked = fleet.send(script)
        assert fleet.workers["gpu"].wait(30) == 0
        assert b"an illegal memory access was encountered; shutting down this worker" in fleet.log("gpu")
        fleet.start("gpu")
        manifest = asked.get(timeout=60)
        assert (manifest["state"], manifest["segments"] > 4) == ("done", True)
