"""Tests of one stage of one segment within a task: what is passed on, retried, stored and refused."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import Task, states
from celery.exceptions import Retry

from bench.harness.silence import Silence
from pipeline import stages
from pipeline.errors import DeviceLostError, EngineError, OptionError
from pipeline.jobs.plans import Plan
from pipeline.planning.request import checked, split_options
from pipeline.script.parser import parse
from pipeline.stages import Facts, SegmentWork
from pipeline.voices.library import Voices
from tasks.make_app import make_app
from tasks.orchestration.chord import SegmentRef
from tasks.orchestration.resources import VoxchordApp
from tasks.orchestration.stage_control import StageControl
from tasks.orchestration.stage_runner import run_stage
from tasks.settings import Settings

Stage = Callable[[SegmentWork, StageControl], Facts]
ATTEMPTS_MAX = 2


@pytest.fixture
def app(tmp_path: Path) -> Iterator[VoxchordApp]:
    settings = Settings(
        state=tmp_path,
        metering=False,
        engine="silence",
        engines={"silence": "bench.harness.silence:Silence"},
        attempts_max=ATTEMPTS_MAX,
    )
    with make_app(settings, "memory://") as app:
        app.conf.result_failure_expires = None  # results in memory do not expire
        yield app


@pytest.fixture
def plan(app: VoxchordApp) -> Plan:
    jobs = app.resources.jobs
    own, rest = split_options({}, engine="silence")
    script = parse("Anna: Five words are spoken here.", characters_max=1000)
    request = checked(script, {}, own, rest, engine=Silence(), registered=Voices(jobs.store))
    return jobs.plans.create(request, Silence.profile)


def run(app: VoxchordApp, stage: Stage, ref: Any, *, retries: int = 0) -> Any:
    """Run a stage as the task of text in this process."""

    def work(task: Task[..., Any], ref: Any) -> Any:
        return run_stage(app, task, ref, stage)

    task = app.task(bind=True, shared=False, name="test.text", base=Task)(work)
    return task.apply((ref,), retries=retries)


def done(work: SegmentWork, control: StageControl) -> Facts:
    return stages.text(work)


def never(work: SegmentWork, control: StageControl) -> Facts:
    raise AssertionError("the stage must not run")


def failing(error: Exception) -> Stage:
    def fail(work: SegmentWork, control: StageControl) -> Facts:
        raise error

    return fail


def test_a_stage_passes_its_message_on_with_all_fields(app: VoxchordApp, plan: Plan) -> None:
    ref = {"job": plan.job, "segment": 0, "of_a_later_release": 1}
    assert run(app, done, ref).get() == {**ref, "ok": True}


def test_a_segment_that_failed_before_is_passed_on_unchanged(app: VoxchordApp, plan: Plan) -> None:
    ref = {"job": plan.job, "segment": 0, "ok": False, "error": "EngineError"}
    assert run(app, never, ref).get() == ref


@pytest.mark.parametrize(
    "ref",
    [
        None,
        "text",
        {},
        {"job": "f" * 20},
        {"job": "f" * 20, "segment": -1},
        {"job": "f" * 20, "segment": True},
    ],
)
def test_a_message_that_names_no_segment_is_refused(app: VoxchordApp, ref: Any) -> None:
    with pytest.raises(OptionError):
        run(app, never, ref).get()


@pytest.mark.parametrize("segment", [0, 7])
def test_a_segment_without_a_plan_is_reported_and_does_not_raise(
    app: VoxchordApp, plan: Plan, segment: int
) -> None:
    ref = {"job": plan.job if segment else "f" * 20, "segment": segment}
    assert run(app, never, ref).get() == {**ref, "ok": False, "error": "the job is gone"}


def test_a_lasting_failure_is_stored_with_its_reason_and_does_not_raise(app: VoxchordApp, plan: Plan) -> None:
    """A chord's header that raises would discard the results of all other segments."""
    found = run(app, failing(EngineError("the voice is broken")), {"job": plan.job, "segment": 0}).get()
    assert found == {"job": plan.job, "segment": 0, "ok": False, "error": "EngineError"}
    assert app.resources.jobs.outcomes.failures(plan.job) == {0: "the voice is broken"}


def test_a_bug_is_stored_without_its_message(app: VoxchordApp, plan: Plan) -> None:
    found = run(app, failing(KeyError("words of the script")), {"job": plan.job, "segment": 0}).get()
    assert found["error"] == "BugError"
    (reason,) = app.resources.jobs.outcomes.failures(plan.job).values()
    assert "KeyError" in reason
    assert "words of the script" not in reason


def retry_of(app: VoxchordApp, stage: Stage, plan: Plan) -> Any:
    """Run the first attempt of a stage that is to be retried; returns Celery's Retry."""
    task, ref = app.tasks["voxchord.text"], SegmentRef(job=plan.job, segment=0)
    task.push_request(id="one", args=[ref], kwargs={}, retries=0, called_directly=False)
    try:
        with pytest.raises(Retry) as caught:
            run_stage(app, task, ref, stage)
    finally:
        task.pop_request()
    return caught.value


def test_a_temporary_failure_is_retried_after_a_pause(app: VoxchordApp, plan: Plan) -> None:
    retry = retry_of(app, failing(DeviceLostError("reset")), plan)
    assert isinstance(retry.exc, DeviceLostError)
    assert 1 <= retry.when <= 3
    assert app.resources.jobs.outcomes.failures(plan.job) == {}


def test_the_last_attempt_fails_the_segment(app: VoxchordApp, plan: Plan) -> None:
    ref = {"job": plan.job, "segment": 0}
    found = run(app, failing(DeviceLostError("reset")), ref, retries=ATTEMPTS_MAX - 1).get()
    assert found["error"] == "DeviceLostError"
    assert list(app.resources.jobs.outcomes.failures(plan.job)) == [0]


def test_a_cancelled_job_runs_no_stage_and_stores_no_failure(app: VoxchordApp, plan: Plan) -> None:
    app.resources.jobs.coordination.cancel(plan.job)
    assert run(app, never, {"job": plan.job, "segment": 0}).state == states.IGNORED
    assert app.resources.jobs.outcomes.failures(plan.job) == {}


def test_a_missing_product_is_made_again_before_the_retry(app: VoxchordApp, plan: Plan) -> None:
    """Semantic finds the tokens missing: text runs again, and the retry starts at once."""
    retry = retry_of(app, lambda work, control: stages.semantic(work), plan)
    assert retry.when == 0
    work = app.resources.work_of(plan, 0)
    assert work.store.has(work.name("text"))
