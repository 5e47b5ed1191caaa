"""Tests of deadlines, which exclude time spent on other segments."""

import threading
import time
from pathlib import Path

import pytest

from pipeline.engines.registry import Engines
from pipeline.engines.vibevoice.frame_plan import frames
from pipeline.errors import CancelledError, DeadlineError
from tasks.orchestration import poison
from tasks.orchestration.resources import Resources
from tasks.orchestration.stage_control import StageControl
from tasks.orchestration.stage_runner import limit_s
from tasks.settings import Settings

LIMIT_S = 0.1


def test_deadlines_exclude_time_spent_on_other_segments(tmp_path: Path) -> None:
    control = StageControl(Resources(Settings(store=str(tmp_path))), "job", LIMIT_S)
    time.sleep(2 * LIMIT_S)
    control.waited(2 * LIMIT_S)
    control.check()
    time.sleep(2 * LIMIT_S)
    with pytest.raises(DeadlineError, match=r"more than its limit of 0\.1 s"):
        control.check()


def test_short_segments_have_time_for_their_maximum_of_frames() -> None:
    """Check with a step of 8 slots of 1.75 s, that of the slowest CPU measured."""
    profile = Engines().load("vibevoice").profile
    for words in (1, 5, 250):
        _, frames_max = frames(words)
        assert limit_s(words, profile) > 1.75 * frames_max


def test_quarantine_does_not_use_up_the_deadline(tmp_path: Path) -> None:
    control = StageControl(Resources(Settings(store=str(tmp_path))), "job", LIMIT_S)
    poison._alone.acquire()
    threading.Timer(8 * LIMIT_S, poison._alone.release).start()
    with poison._quarantine(control):
        pass


def test_quarantined_work_sees_cancellation(tmp_path: Path) -> None:
    resources = Resources(Settings(store=str(tmp_path)))
    resources.jobs.coordination.cancel("job")
    control = StageControl(resources, "job", LIMIT_S)
    with poison._alone, pytest.raises(CancelledError), poison._quarantine(control):
        pass
