"""Events of a job: its changes and its finished segments, until it has ended."""

import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any

import anyio

from pipeline.jobs.artifacts import ChosenTake
from pipeline.jobs.plans import Plan
from pipeline.planning.records import PlannedSegment
from web.jobs.found import FoundJob
from web.jobs.views import JobView
from web.speech.response import StreamResponse, error_event, event

_FIRST_S, _LONGEST_S = 0.2, 2.0
_GROWTH = 1.3
_SHARE = 10.0
"""Least wait between two checks, as a multiple of the time that one takes."""
_ALIVE_S = 15.0
_ALIVE = b": alive\n\n"


def job_events(job: FoundJob) -> StreamResponse:
    """Answer with the events of a job."""
    return StreamResponse(
        lambda: _events(job), media_type="text/event-stream", headers={}, on_error=error_event
    )


@dataclass(slots=True)
class _Follower:
    """Check of one job, and what was reported of it."""

    job: FoundJob
    shown: dict[str, Any] = field(default_factory=dict)
    reported: set[int] = field(default_factory=set)

    def check(self) -> tuple[list[bytes], bool]:
        """Events since the last check, and True if the job has ended."""
        view = self.job.view()
        events = [] if view.segments is None else self._segments(view)
        shown = view.model_dump(exclude={"cost", "eta_s"})
        if shown != self.shown:
            self.shown = shown
            events.append(event(f"audio.job.{view.status}", job=view.model_dump()))
        return events, view.status in ("completed", "failed")

    def _segments(self, view: JobView) -> list[bytes]:
        if view.segments_done == len(self.reported):
            return []
        jobs, plan = self.job.service.jobs, self.job.plan()

        def chosen(segment: PlannedSegment) -> ChosenTake:
            return jobs.artifacts.take_of(plan, segment)

        missing = [each for each in jobs.plans.segments(plan) if each.index not in self.reported]
        found = [each for each in jobs.artifacts.ask(chosen, missing) if each.audio is not None]
        self.reported |= {each.segment.index for each in found}
        return [_segment_event(plan, each) for each in found]


def _segment_event(plan: Plan, chosen: ChosenTake) -> bytes:
    audio = chosen.audio
    seconds = None if audio is None else round(audio.samples / audio.sample_rate_hz, 3)
    lines = [line.source_line for line in chosen.segment.lines]
    return event(
        "audio.job.segment",
        segment=chosen.segment.index,
        take=chosen.take,
        duration_s=seconds,
        first_line=min(lines),
        last_line=max(lines),
        of=plan.segments,
    )


async def _events(job: FoundJob) -> AsyncGenerator[bytes, None]:
    follower, wait_s, sent_s = _Follower(job), _FIRST_S, time.monotonic()
    while True:
        began = time.monotonic()
        events, has_ended = await job.service.away(follower.check)
        took_s = time.monotonic() - began
        for each in events:
            yield each
        if has_ended:
            return
        now = time.monotonic()
        if events:
            wait_s, sent_s = _FIRST_S, now
        elif now - sent_s > _ALIVE_S:
            sent_s = now
            yield _ALIVE
        await anyio.sleep(max(wait_s, _SHARE * took_s))
        wait_s = min(wait_s * _GROWTH, _LONGEST_S)
