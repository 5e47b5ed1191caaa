"""A segment's deadline: for its own time, not for that of others."""

import threading
import time
from pathlib import Path

import pytest

from pipeline.engines import registry
from pipeline.engines.vibevoice.frame_plan import frames
from pipeline.errors import CancelledError, DeadlineError
from pipeline.jobs.jobs import Jobs
from pipeline.store.artifacts import Store
from tasks import stages
from tasks.orchestration import poison
from tasks.orchestration.stage_control import StageControl

LIMIT_S = 0.1


def test_a_deadline_counts_what_a_segment_takes_and_not_what_it_waits_for_others(tmp_path: Path) -> None:
    control = StageControl(Jobs(Store(str(tmp_path))), "job", LIMIT_S)
    time.sleep(2 * LIMIT_S)
    control.waited(2 * LIMIT_S)
    control.check()
    time.sleep(2 * LIMIT_S)
    with pytest.raises(DeadlineError, match=r"more than its limit of 0\.1 s"):
        control.check()


def test_the_shortest_segment_has_time_for_all_the_frames_that_it_may_have() -> None:
    """A step of 8 slots takes 1.75 s on the slowest processor that was measured."""
    profile = registry.load("vibevoice").profile
    for words in (1, 5, 250):
        _, frames_max = frames(words)
        assert stages.limit_s(words, profile) > 1.75 * frames_max


def test_what_waits_until_it_may_run_alone_uses_up_none_of_its_time(tmp_path: Path) -> None:
    control = StageControl(Jobs(Store(str(tmp_path))), "job", LIMIT_S)
    poison._alone.acquire()
    threading.Timer(8 * LIMIT_S, poison._alone.release).start()
    with poison._quarantine(control):
        pass


def test_what_waits_until_it_may_run_alone_sees_that_its_job_was_cancelled(tmp_path: Path) -> None:
    jobs = Jobs(Store(str(tmp_path)))
    jobs.coordination.cancel("job")
    with poison._alone, pytest.raises(CancelledError), poison._quarantine(StageControl(jobs, "job", LIMIT_S)):
        pass
