"""`GET /v1/audio/jobs/{id}/stages`: the last finished stage of every segment."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from pipeline.jobs.artifacts import choice_name, stage_name, take_name
from pipeline.jobs.plans import Plan
from pipeline.planning.records import PlannedSegment
from pipeline.store.artifacts import Store
from web.errors import ApiError
from web.jobs.found import FoundJob, JobDep
from web.jobs.paths import PATH, RESPONSES

router = APIRouter(tags=["segments"], responses=RESPONSES)
SegmentStage = Literal["pending", "text", "semantic", "diffusion", "verify", "failed"]
_SEGMENTS_MAX = 5000


class JobStages(BaseModel):
    """Progress of the segments."""

    object: Literal["audio.job.stages"] = "audio.job.stages"
    stages: list[SegmentStage]
    """Last finished stage of each segment; `verify` is finished, also in jobs without checks."""


@router.get(PATH + "/{id}/stages")
async def get_stages(job: JobDep) -> JobStages:
    """Get the last finished stage of each segment, in order."""
    return await job.away(_stages)


def _stages(job: FoundJob) -> JobStages:
    plan, jobs = job.plan(), job.service.jobs
    if plan.segments > _SEGMENTS_MAX:
        raise ApiError(413, f"more than {_SEGMENTS_MAX:,} segments; follow the events", code="too_large")
    failures = jobs.outcomes.failures(plan.job)

    def stage_of(segment: PlannedSegment) -> SegmentStage:
        return "failed" if segment.index in failures else _stage(jobs.store, plan, segment.key)

    segments = list(jobs.plans.segments(plan))
    return JobStages(stages=list(jobs.artifacts.ask(stage_of, segments)))


def _stage(store: Store, plan: Plan, key: str) -> SegmentStage:
    if store.has(take_name(key, 0, "spans")):
        return "verify" if not plan.checker or store.has(choice_name(plan, key)) else "diffusion"
    if store.has(stage_name(key, "semantic")):
        return "semantic"
    return "text" if store.has(stage_name(key, "text")) else "pending"
