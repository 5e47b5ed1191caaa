"""Stitch: join the segments of a job, or decide its outcome if some are missing.

A run of a job ends with one stitch under an ID of its own, which does the work. Then every root that waits
for the job is answered by a stitch under the root's task ID, so that Celery continues its links, chain and
chord.
"""

import logging
from typing import Any

from celery.exceptions import CeleryError, Ignore

from pipeline import finalize
from pipeline.errors import (
    CancelledError,
    MissingArtifactError,
    PipelineError,
    SegmentError,
    StoreError,
)
from pipeline.jobs.plans import Plan, checked_id
from tasks.handover.receivers import offer
from tasks.metering.attempt import note
from tasks.metering.outcome import Replaced
from tasks.orchestration import chord
from tasks.orchestration.error_policy import Requeue, classify
from tasks.orchestration.job_lock import job_locked
from tasks.orchestration.poison import attempt_recorded
from tasks.orchestration.resources import Resources, VoxchordApp
from tasks.orchestration.stage_control import JOIN_LIMIT_S, StageControl
from tasks.orchestration.store_outage import requeue_while_unavailable
from tasks.orchestration.waiters import answer, give_up
from tasks.task import VoxchordTask

log = logging.getLogger(__name__)

_JOINS_MAX = 3


def register(app: VoxchordApp) -> None:
    """Register the task with an app."""
    app.task(bind=True, base=VoxchordTask, name="voxchord.stitch", throws=(PipelineError,))(stitch)


def stitch(self: VoxchordTask, job: str, run: int | None = None, revoked: bool = False) -> dict[str, Any]:
    """Join a job's segments to its file, or answer a root; idempotent.

    Args:
        run: number of the run that this stitch ends; None if it answers a root.
        revoked: the root was revoked.
    """
    checked_id(job)
    if revoked:
        self.backend.mark_as_revoked(str(self.request.id), "revoked", request=self.request)
        raise Ignore("revoked")
    with requeue_while_unavailable(self.app, job):
        plan = self.app.resources.jobs.plans.need(job)
        note(job=plan.job, engine=plan.options.engine)
        return _answer(self, plan) if run is None else _end(self, plan, run)


def _answer(task: VoxchordTask, plan: Plan) -> dict[str, Any]:
    """Return the job's outcome to a root."""
    resources = task.app.resources
    outcome = _outcome(resources, plan)
    if outcome is None:
        with job_locked(task.app, plan.job):
            if not resources.jobs.coordination.cancelled(plan.job):
                raise Ignore("the job has not ended; its roots are answered then")
            outcome = CancelledError(plan.job)
            give_up(resources, plan, outcome)
    resources.roots.answered(plan.job, str(task.request.id))
    return _shown(outcome, cache_hit=True)


def _end(task: VoxchordTask, plan: Plan, run: int) -> dict[str, Any]:
    """End a run of the job, and answer its roots."""
    app, resources = task.app, task.app.resources
    outcome = _outcome(resources, plan)
    existed = outcome is not None
    if outcome is None:
        if run != resources.jobs.coordination.run_no(plan.job):
            raise Ignore("belongs to an earlier run of this job")
        outcome = _closed(task, plan, run)
    if not existed or (task.request.delivery_info or {}).get("redelivered"):
        if not isinstance(outcome, PipelineError):
            offer(resources.jobs, plan, outcome, resources.settings)
        answer(app, plan.job)  # a process that ended the job may have died before it did
    if not resources.roots.waiting(plan.job):
        resources.roots.answered(plan.job, "")
    return _shown(outcome, cache_hit=existed)


def _outcome(resources: Resources, plan: Plan) -> dict[str, Any] | PipelineError | None:
    """Manifest or error of a job that has ended."""
    outcomes = resources.jobs.outcomes
    return outcomes.manifest(plan.job) or outcomes.error(plan.job)


def _shown(outcome: dict[str, Any] | PipelineError, *, cache_hit: bool) -> dict[str, Any]:
    """Note an outcome's figures and return the manifest, or raise the job's error."""
    if isinstance(outcome, PipelineError):
        raise outcome
    note(cache_hit=cache_hit, segments=outcome["segments"], voices=len(outcome["speakers"]))
    if not cache_hit:
        note(audio_s=outcome["duration_s"])
    return outcome


def _closed(task: VoxchordTask, plan: Plan, run: int) -> dict[str, Any] | PipelineError:
    """Finish or fail the job, and record the outcome in the history."""
    resources = task.app.resources
    try:
        resources.jobs.coordination.raise_if_cancelled(plan.job)
        with attempt_recorded(resources, plan.job, "stitch"):
            manifest = _joined(task, plan)
    except CeleryError:
        raise
    except Exception as error:
        verdict = classify(error)
        if isinstance(verdict, Requeue):
            raise
        with job_locked(task.app, plan.job):
            if run != resources.jobs.coordination.run_no(plan.job):
                raise Ignore("the job was requested again meanwhile") from error
            give_up(resources, plan, verdict.error)  # its segments are retried, it is not
        return verdict.error
    resources.job_rows.finished(plan, manifest)
    return manifest


def _joined(task: VoxchordTask, plan: Plan) -> dict[str, Any]:
    app, resources, jobs = task.app, task.app.resources, task.app.resources.jobs
    control = StageControl(resources, plan.job, JOIN_LIMIT_S)
    for _ in range(_JOINS_MAX):
        missing = set(jobs.artifacts.missing(plan))
        failures = {index: why for index, why in jobs.outcomes.failures(plan.job).items() if index in missing}
        if failures and plan.options.on_error == "fail":
            index = min(failures)
            line = jobs.plans.segment(plan.job, index).lines[0].source_line
            raise SegmentError(index, line, failures[index])
        lost = sorted(missing - failures.keys())
        if lost:
            log.warning("segments are missing; sent again", extra={"job": plan.job, "segments": len(lost)})
            chord.send(app, plan, lost, str(task.request.root_id))
            raise Replaced("by the missing segments and another stitch")
        try:
            profile = resources.engine_of(plan.options).profile
            return finalize.finish(jobs, plan, profile, control, watched=control)
        except MissingArtifactError:
            continue  # the damaged segment counts as missing now
    raise StoreError("segments change while they are read")
