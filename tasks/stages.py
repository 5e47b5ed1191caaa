"""The four stages of a segment as tasks: unpack, call the pipeline, pack.

A header of a chord must not raise: one segment's failure would take the others' results with it. So a stage
that fails for good writes down why and hands on `ok: false`; the stitch alone decides what becomes of it.
"""

import logging
import random
from collections.abc import Callable
from typing import Any, NotRequired, TypedDict

from celery import Task
from celery.exceptions import Reject

from pipeline import stages
from pipeline.errors import (
    CancelledError,
    HandedBackError,
    MissingArtifactError,
    PipelineError,
    RetryableError,
)
from pipeline.jobs import Plan
from pipeline.stages import Facts, Work
from tasks.app import app, settings
from tasks.control import StageControl
from tasks.metering import note, note_failure
from tasks.service import jobs, work_of

log = logging.getLogger(__name__)

_BACKOFF_S = 2.0
_SLOWEST = 30.0
"""A stage may take so many times the audio's own length before its deadline, and a minute at least."""


class SegmentRef(TypedDict):
    """What passes between the stages: a name for the segment, and whether it is still worth going on."""

    job: str
    segment: int
    ok: NotRequired[bool]
    error: NotRequired[str]


Stage = Callable[[Work], Facts]


@app.task(bind=True, name="voxchord.text", ignore_result=True, track_started=False)
def text(self: Task[..., Any], ref: SegmentRef) -> SegmentRef:
    """The segment's words to the engine's tokens."""
    return run(self, ref, stages.text)


@app.task(bind=True, name="voxchord.semantic", ignore_result=True, track_started=False)
def semantic(self: Task[..., Any], ref: SegmentRef) -> SegmentRef:
    """Tokens to what conditions the model, and the frame plan."""
    return run(self, ref, stages.semantic)


@app.task(bind=True, name="voxchord.speaker", ignore_result=True, track_started=False)
def speaker(self: Task[..., Any], ref: SegmentRef) -> SegmentRef:
    """Reference recordings to speaker embeddings, once per voice."""
    return run(self, ref, stages.speaker)


@app.task(bind=True, name="voxchord.diffusion", track_started=False)
def diffusion(self: Task[..., Any], ref: SegmentRef) -> SegmentRef:
    """Decode the segment and store its samples."""
    return run(self, ref, _decode)


def _decode(work: Work) -> Facts:
    limit_s = 60 + _SLOWEST * work.segment.words / work.engine.profile.words_per_s
    return stages.diffusion(work, StageControl(jobs(), work.plan.job, limit_s))


def run(task: Task[..., Any], ref: SegmentRef, stage: Stage) -> SegmentRef:
    """Run one stage of one segment, and turn what goes wrong into what Celery should do about it."""
    if not ref.get("ok", True):
        note(job=ref["job"], segment=ref["segment"], cache_hit=True)
        return ref
    try:
        jobs().look(ref["job"])
        plan = jobs().need(ref["job"])
        work = work_of(plan, ref["segment"])
        note(**_identity(plan, work))
        note(**stage(work))
    except HandedBackError as error:
        raise Reject(error, requeue=True) from error
    except CancelledError as error:
        return _failed(ref, error)
    except RetryableError as error:
        return _again(task, ref, error)
    except PipelineError as error:
        jobs().fail(ref["job"], ref["segment"], str(error))
        return _failed(ref, error)
    except Exception as error:
        log.exception("stage failed", extra={"job": ref["job"], "segment": ref["segment"]})
        jobs().fail(ref["job"], ref["segment"], f"{type(error).__name__}: see the worker's log")
        return _failed(ref, error)
    return {"job": ref["job"], "segment": ref["segment"], "ok": True}


def _again(task: Task[..., Any], ref: SegmentRef, error: RetryableError) -> SegmentRef:
    """Try again later, here or elsewhere; after the last attempt the segment has failed."""
    attempt = task.request.retries or 0
    if attempt + 1 >= settings.attempts_max:
        jobs().fail(ref["job"], ref["segment"], str(error))
        return _failed(ref, error)
    if isinstance(error, MissingArtifactError):
        return _remake(task, ref, error)
    countdown_s = _BACKOFF_S * 2**attempt * random.uniform(0.5, 1.5)
    raise task.retry(exc=error, countdown=countdown_s, max_retries=settings.attempts_max)


def _remake(task: Task[..., Any], ref: SegmentRef, error: MissingArtifactError) -> SegmentRef:
    """An earlier stage's product is gone or damaged: make it here, then try again at once."""
    work = work_of(jobs().need(ref["job"]), ref["segment"])
    for stage in (stages.text, stages.semantic, stages.speaker):
        stage(work)
    raise task.retry(exc=error, countdown=0, max_retries=settings.attempts_max)


def _failed(ref: SegmentRef, error: Exception) -> SegmentRef:
    note_failure(error)
    return {"job": ref["job"], "segment": ref["segment"], "ok": False, "error": type(error).__name__}


def _identity(plan: Plan, work: Work) -> dict[str, Any]:
    return {
        "job": plan.job,
        "segment": work.segment.index,
        "engine": plan.options.engine,
        "model": plan.options.model or plan.revision,
        "model_version": plan.revision,
        "lang": work.engine.profile.languages[0],
    }
