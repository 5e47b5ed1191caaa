"""A segment's deadline: for its own time, not for that of others."""

import time
from pathlib import Path

import pytest

from pipeline.errors import DeadlineError
from pipeline.jobs import Jobs
from pipeline.store import Store
from tasks.control import StageControl

LIMIT_S = 0.1


def test_a_deadline_counts_what_a_segment_takes_and_not_what_it_waits_for_others(tmp_path: Path) -> None:
    control = StageControl(Jobs(Store(str(tmp_path))), "job", LIMIT_S)
    time.sleep(2 * LIMIT_S)
    control.waited(2 * LIMIT_S)
    control.check()
    time.sleep(2 * LIMIT_S)
    with pytest.raises(DeadlineError, match=r"more than its limit of 0\.1 s"):
        control.check()
