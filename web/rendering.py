"""Jobs that are sent to the Celery app, and withdrawn when their client goes away."""

import time
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from celery import states

from pipeline.errors import PipelineError
from tasks.orchestration import submission, waiters
from web.errors import ApiError, unavailable
from web.service import Service

_JOIN_S, _JOIN_POLL_S = 10.0, 0.05
"""Longest wait for a worker between the plan of a request and its job's segments, and between two checks."""
_PUBLISH = {"max_retries": 2, "interval_start": 0.1, "interval_step": 0.2, "interval_max": 0.5}


def new_task() -> str:
    """ID of a task to be sent."""
    return str(uuid4())


def send_render(
    service: Service,
    task: str,
    arguments: Mapping[str, Any],
    labels: Mapping[str, str],
    opening: str | None = None,
) -> None:
    """Send `voxchord.render`.

    Args:
        arguments: script, voices and options.
        labels: labels of the job in the history.
        opening: ID of the task as which the opening of a long text is rendered ahead; None for none.
    """
    submission.send_render(
        service.celery, task, arguments, labels=labels, opening=opening, retry_policy=_PUBLISH
    )


def withdraw(service: Service, task: str) -> None:
    """Withdraw a request: its job is cancelled unless somebody else asked for it."""
    job = service.jobs.intake.job_of(task)
    if job is None:
        service.celery.control.revoke(task)  # no worker has accepted it yet
    elif service.jobs.plans.get(job) is not None:
        _wait_for_join(service, job, task)
        waiters.withdraw(service.celery, job, task)


def _wait_for_join(service: Service, job: str, task: str) -> None:
    """Wait until a planned request is among those that wait for its job, and the job's segments are sent.

    Before, there is nothing to withdraw, and the job would go on; or its start is recorded after its end.
    """
    until = time.monotonic() + _JOIN_S
    while time.monotonic() < until and not service.jobs.outcomes.closed(job):
        roots = service.celery.resources.roots
        if roots.sent(job) and task in roots.waiting(job):
            return
        time.sleep(_JOIN_POLL_S)


def raise_for_failure(service: Service, task: str) -> None:
    """Raise if the task has failed.

    Raises:
        PipelineError: the job's error.
        ApiError: it failed otherwise.
    """
    meta = service.celery.backend.get_task_meta(task)
    if meta["status"] not in states.EXCEPTION_STATES:
        return
    error = meta["result"]
    if isinstance(error, PipelineError):
        raise error
    if meta["status"] == states.REVOKED:
        raise ApiError(409, "the job was cancelled", code="cancelled")
    raise unavailable("the job failed")
