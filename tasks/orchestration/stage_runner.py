"""Running one stage of one segment within a task.

A chord's header must not raise, since one failure would discard the results of the other segments. A stage
that fails for good stores the reason and returns `ok: false`; the stitch decides the outcome.
"""

import logging
import random
from collections.abc import Callable
from typing import Any

from celery import Signature, Task, exceptions
from kombu.exceptions import OperationalError

from pipeline import stages
from pipeline.engines import load_timing
from pipeline.engines.protocol import Profile
from pipeline.errors import (
    BugError,
    CancelledError,
    DeviceLostError,
    MissingArtifactError,
    OptionError,
    PipelineError,
    RetryableError,
)
from pipeline.jobs.plans import Plan, checked_id
from pipeline.jobs.takes import TAKES_END, is_take
from pipeline.stages import Facts, SegmentWork
from tasks.metering.attempt import note, note_failure
from tasks.metering.probes import gpu
from tasks.orchestration.chord import SegmentRef, verifies_on_gpu
from tasks.orchestration.error_policy import Fail, Requeue, Retry, classify
from tasks.orchestration.poison import attempt_recorded
from tasks.orchestration.resources import VoxchordApp
from tasks.orchestration.stage_control import StageControl
from tasks.orchestration.store_outage import requeue_while_unavailable
from tasks.worker import shutdown

log = logging.getLogger(__name__)

_BACKOFF_S = 2.0
_SLOWEST = 30.0
"""Deadline of a stage as a multiple of the audio's length, in addition to a minute."""
_SHORTEST_S = 10.0
"""Shortest length at which engines cut a segment off."""
_CPU_ONLY = ("text", "semantic", "verify")

Stage = Callable[[SegmentWork, StageControl], Facts]
Follow = Callable[[SegmentWork], Signature[Any] | None]


def run_stage(
    app: VoxchordApp, task: Task[..., Any], ref: SegmentRef, stage: Stage, follow: Follow | None = None
) -> SegmentRef:
    """Run one stage of one segment; a segment that has failed before is passed on.

    Args:
        follow: builds the work that replaces the task once its stage is done, if there is any.

    Raises:
        celery.exceptions.Reject, celery.exceptions.Retry, celery.exceptions.Ignore: what Celery should do.
    """
    job, segment = _checked(ref)
    if not ref.get("ok", True):
        note(job=job, segment=segment)
        return ref
    with (
        requeue_while_unavailable(app, job),
        load_timing.measured(lambda seconds: note(model_load_s=seconds)),
    ):
        return _StageRun(app, task, ref, stage, follow).run()


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
    if not is_take(ref.get("take", 0)):
        raise OptionError("take", f"is not an integer from 0 to {TAKES_END - 1}")
    return checked_id(ref.get("job")), segment


class _StageRun:
    """An attempt at one stage of one segment."""

    def __init__(
        self, app: VoxchordApp, task: Task[..., Any], ref: SegmentRef, stage: Stage, follow: Follow | None
    ) -> None:
        self.task, self.ref, self.stage, self.follow = task, ref, stage, follow
        self.resources = app.resources
        self.job, self.segment = ref["job"], ref["segment"]
        self.stage_name = task.name.rpartition(".")[2]

    def run(self) -> SegmentRef:
        try:
            return self._done()
        except exceptions.CeleryError:
            raise
        except Exception as error:
            verdict = classify(error)
            if isinstance(verdict, Requeue):
                raise
            return self._failed(verdict.error) if isinstance(verdict, Fail) else self._again(verdict.error)

    def _done(self) -> SegmentRef:
        jobs = self.resources.jobs
        jobs.coordination.raise_if_cancelled(self.job)
        plan = jobs.plans.get(self.job)
        if plan is None or self.segment >= plan.segments:
            return {**self.ref, "ok": False, "error": "the job is gone"}
        work = self._work(plan)
        note(**_identity(plan, work), device=self._device(work))
        control = StageControl(self.resources, self.job, limit_s(work.segment.words, work.engine.profile))
        name = f"{self.segment:06d}.{self.stage_name}"
        with control, attempt_recorded(self.resources, self.job, name, control):
            try:
                note(**self.stage(work, control), **control.facts())
            except DeviceLostError as error:
                if work.engine.profile.pool == "threads":
                    log.critical("%s; shutting down this worker", error)
                    shutdown.shut_down()
                raise
            finally:
                note(device=self._device(work))  # this attempt may have been the first to use it
        self.resources.touch(self.job)
        replacement = self.follow(work) if self.follow else None
        if replacement is not None:
            self._replace(replacement)
        return {**self.ref, "ok": True}

    def _replace(self, replacement: Signature[Any]) -> None:
        """Send other work in place of this task; a message that cannot be sent requeues it.

        Raises:
            celery.exceptions.Ignore: the replacement was sent.
            celery.exceptions.Reject: the broker is unreachable.
        """
        try:
            self.task.replace(replacement)
        except OperationalError as error:
            raise exceptions.Reject(error, requeue=True) from error

    def _again(self, error: RetryableError) -> SegmentRef:
        """Retry later, on any worker; after the last attempt the segment has failed."""
        attempt = self.task.request.retries or 0
        if attempt + 1 >= self.resources.settings.attempts_max:
            return self._failed(error)
        back_off_s = _BACKOFF_S * 2**attempt * random.uniform(0.5, 1.5)
        if not isinstance(error, MissingArtifactError):
            raise self._retry(error, back_off_s)
        try:
            self._remake()
        except Exception as another:
            verdict = classify(another)
            if isinstance(verdict, Requeue):
                raise
            if isinstance(verdict, Retry) and not isinstance(another, MissingArtifactError):
                raise self._retry(verdict.error, back_off_s) from another
            return self._failed(verdict.error)  # what is missing cannot be made again, such as a recording
        raise self._retry(error, 0)

    def _retry(self, error: RetryableError, countdown_s: float) -> Exception:
        """Exception that ends this attempt: Celery's Retry, or a requeue if the broker is unreachable."""
        attempts_max = self.resources.settings.attempts_max
        try:
            self.task.retry(exc=error, countdown=countdown_s, max_retries=attempts_max)
        except exceptions.Reject:
            return exceptions.Reject(error, requeue=True)
        except exceptions.Retry as retry:
            return retry
        return error

    def _remake(self) -> None:
        """Make the missing or damaged products of earlier stages again."""
        work = self._work(self.resources.jobs.plans.need(self.job))
        stages.prepare(work)

    def _failed(self, error: PipelineError) -> SegmentRef:
        """Store the reason and pass the failure on.

        Raises:
            celery.exceptions.Ignore: the job was cancelled, so its waiters are answered already, or will be.
        """
        note_failure(error)
        if isinstance(error, CancelledError):
            raise exceptions.Ignore("cancelled") from error
        if self.stage_name == "diffusion" and self._takes_left(error):
            return {**self.ref, "ok": True}
        if isinstance(error, BugError):
            log.error("a stage failed: %s", error, extra={"job": self.job, "segment": self.segment})
        if "take" not in self.ref:  # the failure of a take by hand is none of the job
            self.resources.jobs.outcomes.fail(self.job, self.segment, str(error))
        return {**self.ref, "ok": False, "error": type(error).__name__}

    def _takes_left(self, error: PipelineError) -> bool:
        """True if the segment has another take than the one that cannot be decoded, which is recorded."""
        work = self._work(self.resources.jobs.plans.need(self.job))
        return stages.give_up_take(work, error)

    def _work(self, plan: Plan) -> SegmentWork:
        return self.resources.work_of(plan, self.segment, self.ref.get("take"))

    def _device(self, work: SegmentWork) -> str | None:
        """Device of the stage; None while its process has not chosen one."""
        if self.stage_name == "verify" and verifies_on_gpu(self.resources.settings, work.plan):
            return gpu.device() or "cuda:0"
        if work.engine.profile.pool == "prefork" or self.stage_name in _CPU_ONLY:
            return "cpu"
        return gpu.device()


def _identity(plan: Plan, work: SegmentWork) -> dict[str, Any]:
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
