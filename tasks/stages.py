"""The four stages of a segment as tasks: unpack, call the pipeline, pack.

A chord's header must not raise, since one failure would discard the results of the other segments. A stage
that fails for good stores the reason and returns `ok: false`; the stitch decides the outcome.
"""

import logging
import random
from collections.abc import Callable
from functools import partial
from typing import Any

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
from tasks.metering.attempt import note, note_failure
from tasks.metering.probes import gpu
from tasks.orchestration.chord import SegmentRef
from tasks.orchestration.poison import attempt_recorded
from tasks.orchestration.resources import Resources, VoxchordApp
from tasks.orchestration.stage_control import StageControl
from tasks.orchestration.store_outage import as_stores, requeue_while_unavailable
from tasks.privacy.errors import redact
from tasks.task import VoxchordTask
from tasks.worker.shutdown import leave

log = logging.getLogger(__name__)

_BACKOFF_S = 2.0
_SLOWEST = 30.0
"""Deadline of a stage as a multiple of the audio's length, in addition to a minute."""
_SHORTEST_S = 10.0
"""Shortest length at which engines cut a segment off."""

_CPU_ONLY = {"voxchord.text", "voxchord.semantic"}

Stage = Callable[[Work, StageControl], Facts]


def register(app: VoxchordApp) -> None:
    """Register the tasks with an app."""
    task = partial(app.task, bind=True, base=VoxchordTask, track_started=False)
    task(name="voxchord.text", ignore_result=True)(text)
    task(name="voxchord.semantic", ignore_result=True)(semantic)
    task(name="voxchord.speaker", ignore_result=True)(speaker)
    task(name="voxchord.diffusion")(diffusion)


def text(self: VoxchordTask, ref: SegmentRef) -> SegmentRef:
    """Convert the segment's words to the engine's tokens."""
    return run(self, ref, lambda work, control: stages.text(work))


def semantic(self: VoxchordTask, ref: SegmentRef) -> SegmentRef:
    """Convert tokens to the model's conditioning, and plan the frames."""
    return run(self, ref, lambda work, control: stages.semantic(work))


def speaker(self: VoxchordTask, ref: SegmentRef) -> SegmentRef:
    """Convert reference recordings to speaker embeddings, once per voice."""
    return run(self, ref, stages.speaker)


def diffusion(self: VoxchordTask, ref: SegmentRef) -> SegmentRef:
    """Decode the segment and store its samples."""
    return run(self, ref, stages.diffusion)


def run(task: VoxchordTask, ref: SegmentRef, stage: Stage) -> SegmentRef:
    """Run one stage of one segment, and map errors to what Celery should do."""
    job, segment = _checked(ref)
    if not ref.get("ok", True):
        note(job=job, segment=segment)
        return ref
    try:
        with (
            requeue_while_unavailable(task.app, job),
            load_timing.counted(lambda seconds: note(model_load_s=seconds)),
        ):
            return _tried(task, ref, stage)
    except HandedBackError as error:
        raise Reject(error, requeue=True) from error
    except CancelledError as error:
        note_failure(error)  # the waiters are answered already, or will be
        raise Ignore("cancelled") from error


def _tried(task: VoxchordTask, ref: SegmentRef, stage: Stage) -> SegmentRef:
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
        return _failed(task, ref, error)
    except Exception as error:
        # a raising header would discard the results of the other segments
        full = as_stores(error)
        if full:
            raise full from error
        told = redact(error)
        log.error("a stage failed: %s", told, extra={"job": ref["job"], "segment": ref["segment"]})
        return _failed(task, ref, told)


def _done(task: VoxchordTask, ref: SegmentRef, stage: Stage) -> SegmentRef:
    job, segment, resources = ref["job"], ref["segment"], task.app.resources
    resources.jobs.coordination.raise_if_cancelled(job)
    plan = resources.jobs.plans.get(job)
    if plan is None or segment >= plan.segments:
        return {**ref, "ok": False, "error": "the job is gone"}
    work = resources.work_of(plan, segment)
    note(**_identity(plan, work), device=_device(task, work))
    control = StageControl(resources, job, limit_s(work.segment.words, work.engine.profile))
    name = f"{segment:06d}.{task.name.rpartition('.')[2]}"
    with control, attempt_recorded(resources, job, name, control):
        try:
            note(**stage(work, control), **control.facts())
        except DeviceLostError as error:
            if work.engine.profile.pool == "threads":
                leave(str(error))
            raise
        finally:
            note(device=_device(task, work))  # this attempt may have been the first to use it
    resources.touch(job)
    return {**ref, "ok": True}


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


def _again(task: VoxchordTask, ref: SegmentRef, error: RetryableError) -> SegmentRef:
    """Retry later, on any worker; after the last attempt the segment has failed."""
    attempt = task.request.retries or 0
    if attempt + 1 >= task.app.settings.attempts_max:
        return _failed(task, ref, error)
    if isinstance(error, MissingArtifactError):
        try:
            _remake(task.app.resources, ref)
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


def _retry(task: VoxchordTask, error: RetryableError, countdown_s: float) -> Exception:
    """Exception that ends this attempt: Celery's Retry, or a requeue if the broker is unreachable."""
    try:
        task.retry(exc=error, countdown=countdown_s, max_retries=task.app.settings.attempts_max)
    except Reject:
        return Reject(error, requeue=True)
    except Retry as retry:
        return retry
    return error


def _remake(resources: Resources, ref: SegmentRef) -> None:
    """Make the missing or damaged products of earlier stages again."""
    work = resources.work_of(resources.jobs.plans.need(ref["job"]), ref["segment"])
    for stage in (stages.text, stages.semantic, stages.speaker):
        stage(work)


def _failed(task: VoxchordTask, ref: SegmentRef, error: PipelineError) -> SegmentRef:
    task.app.resources.jobs.outcomes.fail(ref["job"], ref["segment"], str(error))
    note_failure(error)
    return {**ref, "ok": False, "error": type(error).__name__}


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


def _device(task: VoxchordTask, work: Work) -> str | None:
    """Device of the stage; None while its process has not chosen one."""
    if work.engine.profile.pool == "prefork" or task.name in _CPU_ONLY:
        return "cpu"
    return gpu.device()
