"""The last task: join what the stages made, or decide what becomes of what they couldn't make."""

import logging
from typing import Any

from celery import Task, chord, states

from pipeline import finish
from pipeline.errors import CancelledError, MissingArtifactError, PipelineError, SegmentError
from pipeline.jobs import Plan
from tasks import announce
from tasks.app import app
from tasks.control import StageControl
from tasks.metering import note
from tasks.render import chains
from tasks.service import engine_of, jobs

log = logging.getLogger(__name__)

_LIMIT_S = 3600.0


@app.task(bind=True, name="voxchord.stitch", throws=(SegmentError, CancelledError))
def stitch(self: Task[..., Any], job: str) -> dict[str, Any]:
    """Join a job's segments into its file; run twice, it finds the manifest and returns it."""
    plan = jobs().need(job)
    note(job=job, engine=plan.options.engine)
    try:
        manifest = jobs().manifest(job) or _joined(self, plan)
    except PipelineError as error:
        jobs().give_up(job, str(error))
        announce.failed(plan, error)
        _tell(plan, error, states.FAILURE)
        raise
    note(audio_s=manifest["duration_s"], segments=manifest["segments"])
    announce.finished(plan, manifest)
    _tell(plan, manifest, states.SUCCESS)
    return manifest


def _joined(task: Task[..., Any], plan: Plan) -> dict[str, Any]:
    jobs().look(plan.job)
    failures = jobs().failures(plan.job)
    if failures and plan.options.on_error == "fail":
        index = min(failures)
        line = jobs().segment(plan.job, index).lines[0].source_line
        raise SegmentError(index, line, failures[index])
    missing = [index for index in jobs().missing(plan) if index not in failures]
    if not missing:
        control = StageControl(jobs(), plan.job, _LIMIT_S)
        try:
            return finish.finish(jobs(), plan, engine_of(plan.options).profile, control)
        except MissingArtifactError:
            missing = [index for index in jobs().missing(plan) if index not in failures]
            if not missing:
                raise
    log.warning("segments are missing; sent again", extra={"job": plan.job, "segments": len(missing)})
    remade: dict[str, Any] = task.replace(chord(list(chains(plan, missing)), stitch.si(job=plan.job)))
    return remade


def _tell(plan: Plan, outcome: Any, state: str) -> None:
    """Give the outcome to the other roots that asked for the same job."""
    for root in jobs().waiting(plan.job):
        if state == states.SUCCESS:
            app.backend.store_result(root, outcome, state)
        else:
            app.backend.mark_as_failure(root, outcome, call_errbacks=False)
