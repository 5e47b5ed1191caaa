"""The four stages of a segment as tasks: unpack, call the pipeline, pack.

A chord's header must not raise, since one failure would discard the results of the other segments. A stage
that fails for good stores the reason and returns `ok: false`; the stitch decides the outcome.
"""

import logging
import random
import time
from collections.abc import Callable
from typing import Any

from celery import Task
from celery.exceptions import CeleryError, Ignore, Reject, Retry

from pipeline import stages
from pipeline.engines import load_timing
from pipeline.engines.protocol import Profile
from pipeline.errors import (
    CancelledError,
    DeviceLostError,
    HandedBackError,
    MissingArtifactError,
    OptionError,
    PipelineError,
    RetryableError,
    StoreError,
)
from pipeline.jobs.plans import Plan, checked_id
from pipeline.stages import Facts, Work
from tasks.app import app, settings
from tasks.metering.attempt import note, note_failure
from tasks.metering.probes import gpu
from tasks.orchestration import store_outage
from tasks.orchestration.chord import SegmentRef
from tasks.orchestration.poison import noted
from tasks.orchestration.resources import jobs, work_of
from tasks.orchestration.stage_control import StageControl
from tasks.privacy.errors import redact
from tasks.worker.shutdown import leave

log = logging.getLogger(__name__)

_BACKOFF_S = 2.0
_SLOWEST = 30.0
"""Deadline of a stage as a multiple of the audio's length, in addition to a minute."""
_SHORTEST_S = 10.0
"""Shortest length at which engines cut a segment off."""
_TOUCH_S = 5.0


Stage = Callable[[Work, StageControl], Facts]


@app.task(bind=True, name="voxchord.text", ignore_result=True, track_started=False)
def text(self: Task[..., Any], ref: SegmentRef) -> SegmentRef:
    """Convert the segment's words to the engine's tokens."""
    return run(self, ref, lambda work, control: stages.text(work))


@app.task(bind=True, name="voxchord.semantic", ignore_result=True, track_started=False)
def semantic(self: Task[..., Any], ref: SegmentRef) -> SegmentRef:
    """Convert tokens to the model's conditioning, and plan the frames."""
    return run(self, ref, lambda work, control: stages.semantic(work))


@app.task(bind=True, name="voxchord.speaker", ignore_result=True, track_started=False)
def speaker(self: Task[..., Any], ref: SegmentRef) -> SegmentRef:
    """Convert reference recordings to speaker embeddings, once per voice."""
    return run(self, ref, stages.speaker)


@app.task(bind=True, name="voxchord.diffusion", track_started=False)
def diffusion(self: Task[..., Any], ref: SegmentRef) -> SegmentRef:
    """Decode the segment and store its samples."""
    return run(self, ref, stages.diffusion)


def run(task: Task[..., Any], ref: SegmentRef, stage: Stage) -> SegmentRef:
    """Run one stage of one segment, and map errors to what Celery should do."""
    job, segment = _checked(ref)
    if not ref.get("ok", True):
        note(job=job, segment=segment)
        return ref
    try:
        with store_outage.until_stored(job), load_timing.counted(lambda seconds: note(model_load_s=seconds)):
            return _tried(task, ref, stage)
    except HandedBackError as error:
        raise Reject(error, requeue=True) from error
    except CancelledError as error:
        note_failure(error)  # the waiters are answered already, or will be
        raise Ignore("cancelled") from error


def _tried(task: Task[..., Any], ref: SegmentRef, stage: Stage) -> SegmentRef:
    try:
        try:
            return _done(task, ref, stage)
        except StoreError:
            raise
        except RetryableError as error:
            return _again(task, ref, error)
    except (StoreError, CancelledError, HandedBackError, CeleryError):
        raise
    except PipelineError as error:
        return _failed(ref, error)
    except Exception as error:
        # a raising header would discard the results of the other segments
        full = store_outage.as_stores(error)
        if full:
            raise full from error
        told = redact(error)
        log.error("a stage failed: %s", told, extra={"job": ref["job"], "segment": ref["segment"]})
        return _failed(ref, told)


def _done(task: Task[..., Any], ref: SegmentRef, stage: Stage) -> SegmentRef:
    job, segment = ref["job"], ref["segment"]
    jobs().coordination.raise_if_cancelled(job)
    plan = jobs().plans.get(job)
    if plan is None or segment >= plan.segments:
        return {**ref, "ok": False, "error": "the job is gone"}
    work = work_of(plan, segment)
    note(**_identity(plan, work), device=_device(task, work))
    control = StageControl(jobs(), job, limit_s(work.segment.words, work.engine.profile))
    with control, noted(job, f"{segment:06d}.{task.name.rpartition('.')[2]}", control):
        try:
            note(**stage(work, control), **control.facts())
        except DeviceLostError as error:
            if work.engine.profile.pool == "threads":
                leave(str(error))
            raise
        finally:
            note(device=_device(task, work))  # this attempt may have been the first to use it
    _touch(job)
    return {"job": job, "segment": segment, "ok": True}


def limit_s(words: int, profile: Profile) -> float:
    """Deadline of a stage, in seconds of its own work, for a segment of that many words."""
    return 60 + _SLOWEST * max(words / profile.words_per_s, _SHORTEST_S)


def _checked(ref: Any) -> tuple[str, int]:
    """Validate a message, which any client of the broker may have sent; returns job and segment.

    Raises:
        OptionError: an invalid message.
    """
    if not isinstance(ref, dict):
        raise OptionError("segment", "is not a mapping with a job and a segment")
    segment = ref.get("segment")
    if not isinstance(segment, int) or isinstance(segment, bool) or segment < 0:
        raise OptionError("segment", "is not a non-negative integer")
    return checked_id(ref.get("job")), segment


_touched: dict[str, float] = {}


def _touch(job: str) -> None:
    """Record progress of the job, at most every few seconds."""
    now = time.monotonic()
    if now - _touched.get(job, -_TOUCH_S) >= _TOUCH_S:
        if len(_touched) > 1000:
            _touched.clear()
        _touched[job] = now
        jobs().coordination.touch(job)


def _again(task: Task[..., Any], ref: SegmentRef, error: RetryableError) -> SegmentRef:
    """Retry later, on any worker; after the last attempt the segment has failed."""
    attempt = task.request.retries or 0
    if attempt + 1 >= settings.attempts_max:
        return _failed(ref, error)
    if isinstance(error, MissingArtifactError):
        try:
            _remake(ref)
        except (
            StoreError,
            MissingArtifactError,
        ):  # what is missing cannot be made again, such as a recording
            raise
        except RetryableError as again:
            error = again
        else:
            raise _retry(task, error, 0)
    countdown_s = _BACKOFF_S * 2**attempt * random.uniform(0.5, 1.5)
    raise _retry(task, error, countdown_s)


def _retry(task: Task[..., Any], error: RetryableError, countdown_s: float) -> Exception:
    """Exception that ends this attempt: Celery's Retry, or a requeue if the broker is unreachable."""
    try:
        task.retry(exc=error, countdown=countdown_s, max_retries=settings.attempts_max)
    except Reject:
        return Reject(error, requeue=True)
    except Retry as retry:
        return retry
    return error


def _remake(ref: SegmentRef) -> None:
    """Make the missing or damaged products of earlier stages again."""
    work = work_of(jobs().plans.need(ref["job"]), ref["segment"])
    for stage in (stages.text, stages.semantic, stages.speaker):
        stage(work)


def _failed(ref: SegmentRef, error: PipelineError) -> SegmentRef:
    jobs().outcomes.fail(ref["job"], ref["segment"], str(error))
    note_failure(error)
    return {"job": ref["job"], "segment": ref["segment"], "ok": False, "error": type(error).__name__}


def _identity(plan: Plan, work: Work) -> dict[str, Any]:
    dtype = plan.engine_options.get("dtype")
    return {
        "job": plan.job,
        "segment": work.segment.index,
        "engine": plan.options.engine,
        "model": plan.options.model or plan.revision,
        "model_version": plan.revision,
        "lang": work.engine.profile.languages[0],
        "voices": len(work.segment.speakers),
        "dtype": None if dtype == "auto" else dtype,
    }


def _device(task: Task[..., Any], work: Work) -> str | None:
    """Device of the stage; None while its process has not chosen one."""
    if work.engine.profile.pool == "prefork" or task.name in {text.name, semantic.name}:
        return "cpu"
    return gpu.device()
