"""Tests of the conditions for running an ended job again."""

import numpy as np
import pytest

from pipeline.checking.records import Checked
from pipeline.errors import EngineError, OptionError
from pipeline.jobs.artifacts import put_audio
from pipeline.jobs.jobs import Jobs
from pipeline.jobs.retries import check_retry
from pipeline.jobs.takes import Takes
from pipeline.planning.records import SegmentAudio
from tests.takes import RATE_HZ, BadTakes


def test_a_segment_whose_take_could_not_be_checked_can_be_retried(takes: Takes) -> None:
    jobs, plan = Jobs(takes.store), takes.plan
    put_audio(takes.store, takes.segment.key, np.zeros(8, np.float32), SegmentAudio(RATE_HZ, 8, ()))
    jobs.outcomes.give_up(plan.job, EngineError("the check of segment 0 failed"))
    check_retry(jobs, plan, 0)
    takes.record(0, Checked())
    takes.next_take(BadTakes.profile)
    with pytest.raises(OptionError, match="segment 0 did not fail"):
        check_retry(jobs, plan, 0)
