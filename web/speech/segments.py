"""The segments of a request in order, each as soon as it is finished and verified."""

import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass

import anyio

from pipeline.jobs.artifacts import ChosenTake
from pipeline.jobs.plans import Plan
from web.errors import unavailable
from web.rendering import raise_for_failure
from web.service import Service

_FAST_S, _SLOWEST_S, _REMOTE_S = 0.006, 0.25, 0.1
_FAST_FOR_S = 2.0
_GROWTH = 1.2
_FAILURE_S = 0.25
_ACCEPTED_S = 120.0
"""Longest wait for a worker to accept a request."""


@dataclass(slots=True)
class _Poll:
    """Interval between two checks of the store: short at first, then longer."""

    first_s: float
    began_s: float
    interval_s: float

    @classmethod
    def of(cls, service: Service) -> "_Poll":
        first_s = _FAST_S if service.jobs.store.local else _REMOTE_S
        return cls(first_s, time.monotonic(), first_s)

    async def wait(self) -> None:
        await anyio.sleep(self.interval_s)
        if time.monotonic() - self.began_s > _FAST_FOR_S:
            self.interval_s = min(self.interval_s * _GROWTH, _SLOWEST_S)


async def accepted(service: Service, task: str) -> Plan:
    """Wait until the request is planned.

    Raises:
        PipelineError: it was refused.
        ApiError: no worker accepts it.
    """
    poll, until = _Poll.of(service), time.monotonic() + _ACCEPTED_S
    while (plan := await service.away(_plan, service, task)) is None:
        if time.monotonic() > until:
            raise unavailable("no worker accepts requests")
        await poll.wait()
    return plan


def _plan(service: Service, task: str) -> Plan | None:
    job = service.jobs.intake.job_of(task)
    if job is None:
        return None
    refusal = service.jobs.intake.refusal(job)
    if refusal is not None:
        raise refusal.error
    return service.jobs.plans.need(job)


async def finished(service: Service, plan: Plan, task: str) -> AsyncGenerator[ChosenTake, None]:
    """Yield the segments of a job in order; one that is left out of the file has no audio.

    Raises:
        PipelineError: the job failed.
    """
    for index in range(plan.segments):
        yield await _segment(service, plan, index, task)


async def _segment(service: Service, plan: Plan, index: int, task: str) -> ChosenTake:
    poll, failure_s = _Poll.of(service), time.monotonic() + _FAILURE_S
    chosen = _Chosen(service, plan, index)
    while (found := await service.away(chosen)) is None:
        await poll.wait()
        if time.monotonic() > failure_s:
            await service.away(raise_for_failure, service, task)
            if await service.away(chosen.is_gap):
                return ChosenTake(chosen.segment, None, None, None)
            failure_s = time.monotonic() + _FAILURE_S
    return found


class _Chosen:
    """Check for one segment."""

    def __init__(self, service: Service, plan: Plan, index: int) -> None:
        self.jobs, self.plan, self.index = service.jobs, plan, index
        self.segment = self.jobs.plans.segment(plan.job, index)

    def __call__(self) -> ChosenTake | None:
        """The segment's chosen take; None if there is none yet."""
        found = self.jobs.artifacts.take_of(self.plan, self.segment)
        return None if found.audio is None else found

    def is_gap(self) -> bool:
        """True for a failed segment of a job that leaves silence in its place."""
        return self.plan.options.on_error == "gap" and self.index in self.jobs.outcomes.failures(
            self.plan.job
        )
