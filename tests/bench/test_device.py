"""The checks of a GPU run on a CPU, small: a GPU never meets a typo."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.device.__main__ import CHECKS
from tests.tools import slow

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize("names", ["machine,device_lost", slow(",".join(CHECKS))])
def test_checks_of_a_gpu_pass_dry(names: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench.device", "--dry", "--only", names],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    summary = json.loads(done.stdout.splitlines()[-1])
    assert summary["checks"] == len(names.split(","))
    assert summary["failed"] == summary["skipped"] == []
