from pathlib import Path

import pytest

from pipeline.errors import ScriptError, VoiceError
from pipeline.jobs import intake
from pipeline.jobs.intake import Intake, refused_id
from pipeline.store.artifacts import Store


@pytest.fixture
def requests(tmp_path: Path) -> Intake:
    return Intake(Store(str(tmp_path)))


def test_jobs_are_found_by_task(requests: Intake) -> None:
    requests.accept("a task", "0" * 20)
    assert requests.job_of("a task") == "0" * 20
    assert requests.job_of("another") is None
    assert requests.refusal("0" * 20) is None


def test_refusals_keep_all_problems(requests: Intake) -> None:
    error = ScriptError.of([(1, "has no speaker"), (7, "has no word in it")])
    refusal = requests.refuse("t", error)
    found = requests.refusal(refusal.job)
    assert found is not None
    assert (found.job, found.task, found.refused_s) == (refused_id("t"), "t", refusal.refused_s)
    assert (type(found.error), found.error.args) == (ScriptError, error.args)
    assert requests.job_of("t") == refusal.job


def test_a_refused_request_that_is_sent_again_and_accepted_is_a_job(requests: Intake) -> None:
    requests.refuse("t", VoiceError("x", "unknown"))
    requests.accept("t", "0" * 20)
    assert requests.job_of("t") == "0" * 20


@pytest.mark.parametrize("task", ["../../etc/passwd", "\ud800", "x" * 10_000, ""])
def test_task_ids_may_hold_anything(requests: Intake, task: str) -> None:
    requests.refuse(task, VoiceError("x", "unknown"))
    assert requests.job_of(task) == refused_id(task)


def test_refusals_are_bounded(requests: Intake) -> None:
    for number in range(intake.REFUSED_MAX):
        requests.store.objects.replace(f"refused/{number:020x}", b"earlier")
    requests.refuse("t", VoiceError("x", "unknown"))
    assert len(list(requests.refused())) == intake.REFUSED_MAX
    assert requests.job_of("t") == refused_id("t")
