"""Tasks beside a job that a request waits for."""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any
from uuid import uuid4

import anyio
from celery import states

from pipeline.errors import PipelineError
from tasks.message_headers import Subject
from web.access.admission import admitted, ended
from web.errors import ApiError
from web.jobs.found import FoundJob
from web.rendering import new_task

WAIT_S = 20.0
"""Longest wait for a result; the work goes on after it."""
_POLL_S = 0.2


@asynccontextmanager
async def admission(job: FoundJob, characters: int = 0) -> AsyncIterator[None]:
    """Count work beside a job for its client, while the body lasts.

    Args:
        characters: length of the text that is spoken.

    Raises:
        ApiError: 429, a limit of the client is reached.
    """
    task = new_task()
    await admitted(job.service, job.client, task, characters)
    try:
        yield
    finally:
        await ended(job.service, job.client, task)


async def asked(
    job: FoundJob, task: str, queue: str, kwargs: Mapping[str, Any], wait_s: float
) -> dict[str, Any] | None:
    """Send a task and wait for its result; None if it takes longer.

    The ID of the task begins with that of the job, so that takes of another job are told apart.

    Raises:
        PipelineError: the task's error.
    """
    name = f"{job.record.task}.{uuid4().hex[:12]}"
    send = partial(
        job.service.celery.send_task,
        task,
        kwargs=dict(kwargs),
        queue=queue,
        task_id=name,
        headers=Subject(str(kwargs["job"]), kwargs.get("segment")).headers(),
        argsrepr="()",
        kwargsrepr="-",
    )
    await job.service.away(send)
    until = time.monotonic() + wait_s
    while True:
        meta = await job.service.away(job.service.celery.backend.get_task_meta, name)
        if meta["status"] == states.SUCCESS:
            result: dict[str, Any] = meta["result"]
            return result
        if meta["status"] in states.EXCEPTION_STATES:
            error = meta["result"]
            raise error if isinstance(error, PipelineError) else ApiError(500, "the task failed")
        if time.monotonic() >= until:
            return None
        await anyio.sleep(_POLL_S)
