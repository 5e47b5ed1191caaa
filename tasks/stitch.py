"""Stitch: join the segments of a job, or decide its outcome if some are missing.

Every root that waits for a job is answered by a stitch under the root's own task ID, so that Celery continues
its links, chain and chord. The first stitch does the work; the others return its result.
"""

import logging
from typing import Any

from celery.exceptions import CeleryError, Ignore

from pipeline import finalize
from pipeline.errors import (
    MissingArtifactError,
    PipelineError,
    SegmentError,
    StoreError,
)
from pipeline.jobs.plans import Plan, checked_id
from tasks.metering.attempt import note
from tasks.metering.outcome import Replaced
from tasks.orchestration import chord
from tasks.orchestration.error_policy import Requeue, classify
from tasks.orchestration.poison import attempt_recorded
from tasks.orchestration.resources import Resources, VoxchordApp
from tasks.orchestration.stage_control import StageControl
from tasks.orchestration.store_outage import requeue_while_unavailable
from tasks.orchestration.waiters import answer, body
from tasks.task import VoxchordTask

log = logging.getLogger(__name__)

_LIMIT_S = 3600.0
_JOINS_MAX = 3


def register(app: VoxchordApp) -> None:
    """Register the task with an app."""
    app.task(bind=True, base=VoxchordTask, name="voxchord.stitch", throws=(PipelineError,))(stitch)


def stitch(self: VoxchordTask, job: str) -> dict[str, Any]:
    """Join a job's segments to its file; idempotent, since a second run returns the manifest."""
    checked_id(job)
    with requeue_while_unavailable(self.app, job):
        return _answer(self, self.app.resources.jobs.plans.need(job))


def _answer(task: VoxchordTask, plan: Plan) -> dict[str, Any]:
    """Return the manifest or raise the job's failure, and answer the other waiters."""
    app, outcomes, roots = task.app, task.app.resources.jobs.outcomes, task.app.resources.roots
    root = str(task.request.id)
    note(job=plan.job, engine=plan.options.engine)
    manifest, error = outcomes.manifest(plan.job), outcomes.error(plan.job)
    stood = manifest is not None
    if manifest is None and error is None:
        manifest, error = _closed(app, root, plan)
        others = [other for other in roots.waiting(plan.job) if other != root]
        answer(app, plan, others)
    roots.answered(plan.job, root)
    if manifest is None:
        raise error or PipelineError("the job has no outcome")
    note(cache_hit=stood, segments=manifest["segments"], voices=len(manifest["speakers"]))
    if not stood:
        note(audio_s=manifest["duration_s"])
    return manifest


def _closed(app: VoxchordApp, root: str, plan: Plan) -> tuple[dict[str, Any] | None, PipelineError | None]:
    """Finish or fail the job, and record the outcome in the history."""
    resources = app.resources
    try:
        resources.jobs.coordination.raise_if_cancelled(plan.job)
        if root != resources.roots.claimed_by(plan.job):
            raise Ignore("belongs to another run of this job; it is answered at the end")
        with attempt_recorded(resources, plan.job, "stitch"):
            manifest = _joined(app, root, plan)
    except CeleryError:
        raise
    except Exception as error:
        verdict = classify(error)
        if isinstance(verdict, Requeue):
            raise
        return None, _given_up(resources, plan, verdict.error)  # its segments are retried, it is not
    resources.job_rows.finished(plan, manifest)
    return manifest, None


def _given_up(resources: Resources, plan: Plan, error: PipelineError) -> PipelineError:
    resources.jobs.outcomes.give_up(plan.job, error)
    resources.job_rows.failed(plan, error)
    return error


def _joined(app: VoxchordApp, root: str, plan: Plan) -> dict[str, Any]:
    resources, jobs = app.resources, app.resources.jobs
    control = StageControl(resources, plan.job, _LIMIT_S)
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
            chord.send(app, plan, lost, body(app, plan, root))
            raise Replaced("by the missing segments and another stitch")
        try:
            profile = resources.engine_of(plan.options).profile
            return finalize.finish(jobs, plan, profile, control, watched=control)
        except MissingArtifactError:
            continue  # the damaged segment counts as missing now
    raise StoreError("segments change while they are read")
