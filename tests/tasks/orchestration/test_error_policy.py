import errno
from pathlib import Path

import pytest
from celery.exceptions import Reject

from pipeline import errors
from tasks.make_app import make_app
from tasks.orchestration.error_policy import Fail, Requeue, Retry, classify
from tasks.orchestration.store_outage import requeue_while_unavailable
from tasks.settings import Settings


@pytest.mark.parametrize(
    "error",
    [
        errors.DeviceLostError("gone"),
        errors.OutOfMemoryError("full"),
        errors.MissingArtifactError("segments/0"),
        errors.RetryableError("another one"),
    ],
)
def test_temporary_errors_are_retried(error: errors.RetryableError) -> None:
    assert classify(error) == Retry(error)


@pytest.mark.parametrize(
    "error",
    [
        errors.ScriptError(1, "empty"),
        errors.EngineError("refused"),
        errors.PoisonError(3),
        errors.DeadlineError(2.0, 1.0),
        errors.CancelledError("job"),
    ],
)
def test_lasting_errors_fail(error: errors.PipelineError) -> None:
    assert classify(error) == Fail(error)


@pytest.mark.parametrize("error", [errors.StoreError("away"), errors.HandedBackError()])
def test_work_that_is_not_at_fault_is_requeued(error: errors.StoreError | errors.HandedBackError) -> None:
    assert classify(error) == Requeue(error)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO])
def test_full_and_failing_disks_are_the_stores(number: int) -> None:
    verdict = classify(OSError(number, "the reason"))
    assert isinstance(verdict, Requeue)
    assert isinstance(verdict.error, errors.StoreError)


def test_missing_packages_fail_and_missing_modules_of_ours_are_bugs() -> None:
    verdict = classify(ModuleNotFoundError("No module named 'torch.nn'", name="torch.nn"))
    assert isinstance(verdict, Fail)
    assert str(verdict.error).startswith("torch is needed, which is not installed on ")
    assert str(verdict.error).endswith("; run `pip install -c constraints.txt '.[vibevoice]'` there")
    try:
        raise ModuleNotFoundError("No module named 'pipeline.x'", name="pipeline.x")
    except ModuleNotFoundError as error:
        verdict = classify(error)
    assert isinstance(verdict, Fail)
    assert isinstance(verdict.error, errors.BugError)


@pytest.mark.parametrize("error", [KeyError("Alice: secret"), OSError(errno.ENOENT, "Alice: secret")])
def test_bugs_fail_without_their_message(error: Exception) -> None:
    try:
        raise error
    except Exception as raised:  # noqa: BLE001 - any error
        verdict = classify(raised)
    assert isinstance(verdict, Fail)
    assert isinstance(verdict.error, errors.BugError)
    assert "secret" not in str(verdict.error)


def test_interrupted_work_is_requeued_at_once(tmp_path: Path) -> None:
    app = make_app(Settings(state=tmp_path, metering=False), "memory://")
    with pytest.raises(Reject) as rejected, requeue_while_unavailable(app):
        raise errors.HandedBackError
    reason, requeue = rejected.value.args
    assert requeue
    assert isinstance(reason, errors.HandedBackError)


def test_other_errors_pass_through(tmp_path: Path) -> None:
    app = make_app(Settings(state=tmp_path, metering=False), "memory://")
    with pytest.raises(errors.EngineError), requeue_while_unavailable(app):
        raise errors.EngineError("refused")
    with pytest.raises(FileNotFoundError), requeue_while_unavailable(app):
        raise FileNotFoundError(errno.ENOENT, "no such file")
