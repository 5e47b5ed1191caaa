"""Reading and sending of requests from the command line."""

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from cli.broker_retry import BrokerRetry, reach
from pipeline.errors import OptionError
from pipeline.jobs.jobs import Jobs

if TYPE_CHECKING:
    from celery.result import AsyncResult


_AGAIN_S = 1.0
ACCEPTED_S = 10.0
"""Longest wait for a worker to accept a request, which takes a fraction of a second."""
_LISTEN_S = 0.1


def read_option(text: str) -> tuple[str, str | int | float | bool]:
    """Parse `NAME=VALUE`; numbers and truth values are converted.

    >>> read_option("guidance=1.3")
    ('guidance', 1.3)
    """
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise OptionError("option", f"{text!r} is not NAME=VALUE")
    if value in ("true", "false"):
        return name, value == "true"
    for kind in (int, float):
        try:
            return name, kind(value)
        except ValueError:
            continue
    return name, value


def request(
    app: Any, script: str | bytes, voices: dict[str, str], options: dict[str, Any]
) -> Callable[[], "AsyncResult[Any]"]:
    """Build a function that sends the request, as any other app does.

    Calling it again sends the same task ID; the service runs a repeated request once.
    """
    from tasks.orchestration.submission import send_render

    arguments = {"script": script, "voices": voices, "options": options}
    return partial(send_render, app, str(uuid4()), arguments)


def send(app: Any, ask: Callable[[], "AsyncResult[Any]"]) -> "AsyncResult[Any]":
    """Send a request, and retry while the broker is unreachable."""
    retry = BrokerRetry(app)
    while not retry.call(lambda: reach(app)) or (result := retry.call(ask)) is None:
        time.sleep(_AGAIN_S)
    return result


def accepted_job(jobs: Jobs, task: str) -> str | None:
    """Wait until the service has accepted a request; returns its job, or None if no worker takes it.

    Raises:
        PipelineError: the service refused the request.
    """
    until = time.monotonic() + ACCEPTED_S
    while (job := jobs.intake.job_of(task)) is None and time.monotonic() < until:
        time.sleep(_LISTEN_S)
    refusal = jobs.intake.refusal(job) if job else None
    if refusal is not None:
        raise refusal.error
    return job
