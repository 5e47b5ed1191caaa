"""Stitch: join the segments of a job, or decide its outcome if some are missing.

Every root that waits for a job is answered by a stitch under the root's own task ID, so that Celery continues
its links, chain and chord. The first stitch does the work; the others return its result.
"""

import logging
from typing import Any

from celery import Task
from celery.exceptions import Ignore

from pipeline import finalize
from pipeline.errors import (
    HandedBackError,
    MissingArtifactError,
    PipelineError,
    SegmentError,
    StoreError,
)
from pipeline.jobs.plans import Plan, checked_id
from tasks.app import app
from tasks.metering.attempt import note
from tasks.orchestration import chord, job_rows, store_outage
from tasks.orchestration.poison import noted
from tasks.orchestration.resources import engine_of, jobs, roots
from tasks.orchestration.stage_control import StageControl
from tasks.orchestration.waiters import answer, body
from tasks.privacy.errors import redact

log = logging.getLogger(__name__)

_LIMIT_S = 3600.0
_JOINS_MAX = 3


@app.task(bind=True, name="voxchord.stitch", throws=(PipelineError,))
def stitch(self: Task[..., Any], job: str) -> dict[str, Any]:
    """Join a job's segments to its file; idempotent, since a second run returns the manifest."""
    checked_id(job)
    with store_outage.until_stored(job):
        return _answer(self, jobs().plans.need(job))


def _answer(task: Task[..., Any], plan: Plan) -> dict[str, Any]:
    """Return the manifest or raise the job's failure, and answer the other waiters."""
    root = str(task.request.id)
    note(job=plan.job, engine=plan.options.engine)
    manifest, error = jobs().outcomes.manifest(plan.job), jobs().outcomes.error(plan.job)
    stood = manifest is not None
    if manifest is None and error is None:
        manifest, error = _closed(root, plan)
        others = [other for other in roots().waiting(plan.job) if other != root]
        answer(plan, others)
    roots().answered(plan.job, root)
    if manifest is None:
        raise error or PipelineError("the job has no outcome")
    note(cache_hit=stood, segments=manifest["segments"], voices=len(manifest["speakers"]))
    if not stood:
        note(audio_s=manifest["duration_s"])
    return manifest


def _closed(root: str, plan: Plan) -> tuple[dict[str, Any] | None, PipelineError | None]:
    """Finish or fail the job, and record the outcome in the history."""
    try:
        jobs().coordination.raise_if_cancelled(plan.job)
        if root != roots().claimed_by(plan.job):
            raise Ignore("belongs to another run of this job; it is answered at the end")
        with noted(plan.job, "stitch"):
            manifest = _joined(root, plan)
    except StoreError:
        raise
    except PipelineError as error:
        return None, _given_up(plan, error)
    except (HandedBackError, Ignore):
        raise
    except Exception as error:
        # an unexpected error fails the job, without its message
        full = store_outage.as_stores(error)
        if full:
            raise full from error
        return None, _given_up(plan, redact(error))
    job_rows.finished(plan, manifest)
    return manifest, None


def _given_up(plan: Plan, error: PipelineError) -> PipelineError:
    jobs().outcomes.give_up(plan.job, error)
    job_rows.failed(plan, error)
    return error


def _joined(root: str, plan: Plan) -> dict[str, Any]:
    control = StageControl(jobs(), plan.job, _LIMIT_S)
    for _ in range(_JOINS_MAX):
        missing = set(jobs().artifacts.missing(plan))
        failures = {
            index: why for index, why in jobs().outcomes.failures(plan.job).items() if index in missing
        }
        if failures and plan.options.on_error == "fail":
            index = min(failures)
            line = jobs().plans.segment(plan.job, index).lines[0].source_line
            raise SegmentError(index, line, failures[index])
        lost = sorted(missing - failures.keys())
        if lost:
            log.warning("segments are missing; sent again", extra={"job": plan.job, "segments": len(lost)})
            chord.send(plan, lost, body(plan, root))
            raise Ignore("Replaced by new task")
        try:
            return finalize.finish(jobs(), plan, engine_of(plan.options).profile, control, watched=control)
        except MissingArtifactError:
            continue  # the damaged segment counts as missing now
    raise StoreError("segments change while they are read")
