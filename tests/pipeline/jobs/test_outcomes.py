"""Tests of a job's outcomes: failed segments, failure, manifest."""

from pathlib import Path

import pytest

from pipeline.errors import PipelineError, SegmentError
from pipeline.jobs.outcomes import Outcomes
from pipeline.store.artifacts import Store

JOB = "0" * 20


@pytest.fixture
def outcomes(tmp_path: Path) -> Outcomes:
    return Outcomes(Store(str(tmp_path)))


def test_job_is_closed_by_a_failure_or_a_manifest(outcomes: Outcomes) -> None:
    assert not outcomes.closed(JOB)
    outcomes.finish(JOB, {"version": 1})
    assert outcomes.closed(JOB)
    outcomes.give_up("1" * 20, PipelineError("no"))
    assert outcomes.closed("1" * 20)


def test_failed_segment_does_not_close_its_job(outcomes: Outcomes) -> None:
    outcomes.fail(JOB, 7, "too long")
    assert outcomes.failures(JOB) == {7: "too long"}
    assert not outcomes.closed(JOB)


def test_first_manifest_remains(outcomes: Outcomes) -> None:
    first = outcomes.finish(JOB, {"version": 1, "take": 1})
    assert outcomes.finish(JOB, {"version": 1, "take": 2}) == first == outcomes.manifest(JOB)


def test_error_is_read_with_its_type_and_fields(outcomes: Outcomes) -> None:
    outcomes.give_up(JOB, SegmentError(3, 12, "too long"))
    error = outcomes.error(JOB)
    assert isinstance(error, SegmentError)
    assert (error.segment, error.line, error.reason) == (3, 12, "too long")
    assert outcomes.failure(JOB) == "segment 3 (script line 12): too long"


def test_error_of_an_unknown_type_is_read_as_its_message(outcomes: Outcomes) -> None:
    class PluginError(PipelineError):
        pass

    outcomes.give_up(JOB, PluginError("no ink"))
    assert type(outcomes.error(JOB)) is PipelineError
    assert outcomes.failure(JOB) == "no ink"
