"""A job that asks for a device that nobody serves."""

import json
from pathlib import Path
from typing import Any

import pytest

from bench.harness.fleet import Fleet
from bench.harness.waiting import until
from tests.faults.conftest import SETTINGS, STAGES
from tests.faults.fleet_jobs import command
from tests.faults.scripts import script

pytestmark = pytest.mark.slow
LIMIT_S = 60


def test_a_job_for_a_device_that_nobody_serves_says_so_and_fails(tmp_path: Path) -> None:
    settings = {**SETTINGS, "VOXCHORD_STALLED_S": "2", "VOXCHORD_DEVICE_WAIT_S": "6"}
    with Fleet(
        tmp_path, settings=settings, layout={"intake": "voxchord", "work": STAGES}, forked=True
    ) as fleet:
        fleet.start()
        fleet.ready()
        result = fleet.send(script("nowhere", "", ""), {"device": "nowhere.7"})
        job = fleet.job()
        until(lambda: fleet.jobs.coordination.unserved_s(job), LIMIT_S)
        status: dict[str, Any] = json.loads(command(fleet, "status", job, "--json"))
        assert status["paused"] == "no worker serves device 'nowhere.7'"
        assert f"job {job} waits for device 'nowhere.7'" in " ".join(command(fleet, "doctor").split())
        with pytest.raises(Exception, match=r"no worker serves device 'nowhere\.7'"):
            result.get(timeout=LIMIT_S)
        until(lambda: not fleet.jobs.coordination.is_open(job), LIMIT_S)
