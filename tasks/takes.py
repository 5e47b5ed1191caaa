"""Takes by hand: another take of a segment, and the choice among them."""

from typing import Any

from pipeline import finalize
from pipeline.engines.protocol import PARTS, PARTS_MAX
from pipeline.errors import OptionError, PipelineError
from pipeline.jobs.plans import Plan, checked_id
from pipeline.jobs.takes import is_take
from tasks.handover.receivers import offer
from tasks.metering.attempt import note
from tasks.metering.outcome import Replaced
from tasks.orchestration import chord
from tasks.orchestration.poison import attempt_recorded
from tasks.orchestration.resources import Resources, VoxchordApp
from tasks.orchestration.stage_control import JOIN_LIMIT_S, StageControl
from tasks.orchestration.store_outage import requeue_while_unavailable
from tasks.task import VoxchordTask


class Retake(VoxchordTask):
    """A task that is replaced by the stages of a take."""

    def on_replace(self, sig: chord.Sig) -> None:
        sig.apply_async()
        raise Replaced("by the stages of a take")


def register(app: VoxchordApp) -> None:
    """Register the tasks with an app."""
    app.task(bind=True, base=Retake, name="voxchord.retake", throws=(PipelineError,))(retake)
    app.task(bind=True, base=VoxchordTask, name="voxchord.pick", throws=(PipelineError,))(pick)


def retake(
    self: Retake, job: str, segment: int, seed: int | None = None, options: dict[str, Any] | None = None
) -> Any:
    """Make another take of a segment of a job.

    Args:
        seed: of the noise; None derives another one.
        options: changed options of the engine, of those that its takes may change.

    Returns:
        {job, segment, take, ok}, and `error` if it could not be made.
    """
    app, resources = self.app, self.app.resources
    with requeue_while_unavailable(app, checked_id(job)):
        plan = _plan(resources, job, segment)
        if resources.jobs.coordination.cancelled(job):
            raise OptionError("job", f"job {job} was cancelled; request it again first")
        changed = _changed_options(resources, plan, options or {})
        if seed is not None and (
            isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**63
        ):
            raise OptionError("seed", "is not an integer from 0 to 2**63 - 1")
        take = resources.jobs.takes(plan, segment).ask_by_hand(str(self.request.id), seed, changed)
    note(job=job, engine=plan.options.engine)
    return self.replace(chord.take_by_hand(app, plan, segment, take))


def pick(self: VoxchordTask, job: str, segment: int, take: int) -> dict[str, Any]:
    """Choose a take of a segment of a finished job, and join the file anew, as another revision.

    Returns:
        The manifest of the revision.
    """
    resources = self.app.resources
    with requeue_while_unavailable(self.app, checked_id(job)):
        plan = _plan(resources, job, segment)
        jobs = resources.jobs
        if jobs.outcomes.manifest(job) is None:
            raise OptionError("job", f"job {job} is not finished")
        if not is_take(take) or not jobs.takes(plan, segment).has_audio(take):
            raise OptionError("take", f"segment {segment} has no finished take {take!r}")
        note(job=job, engine=plan.options.engine)
        revision = jobs.revisions.pick(job, segment, take)
        finished = jobs.revisions.manifest(job, revision)
        if finished is not None:
            if (self.request.delivery_info or {}).get("redelivered"):
                offer(jobs, plan, finished, resources.settings)  # a process may have died before it did
            note(cache_hit=True)
            return finished
        control = StageControl(resources, job, JOIN_LIMIT_S)
        profile = resources.engine_of(plan.options).profile
        with attempt_recorded(resources, job, "pick", control):
            manifest = finalize.revise(jobs, plan, profile, control, revision, watched=control)
        offer(jobs, plan, manifest, resources.settings)
        note(segments=manifest["segments"], audio_s=manifest["duration_s"], cache_hit=False)
        return manifest


def _plan(resources: Resources, job: str, segment: int) -> Plan:
    """Plan of a job with this segment.

    Raises:
        OptionError: no such job or segment.
    """
    plan = resources.jobs.plans.get(job)
    if plan is None:
        raise OptionError("job", f"there is no job {job}")
    if not isinstance(segment, int) or isinstance(segment, bool) or not 0 <= segment < plan.segments:
        raise OptionError("segment", f"job {job} has segments 0 to {plan.segments - 1}")
    return plan


def _changed_options(resources: Resources, plan: Plan, options: dict[str, Any]) -> dict[str, Any]:
    """Validate the options that a take changes.

    Raises:
        OptionError: one that a take cannot change, or a value out of range.
    """
    engine = resources.engine_of(plan.options)
    allowed = engine.profile.take_options
    for name in options:
        if name not in allowed:
            has = f"takes of {engine.profile.name} may change {', '.join(allowed) or 'nothing'}"
            raise OptionError(str(name)[:40], f"affects more than a take; {has}")
    count = options.get(PARTS, 1)
    if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= PARTS_MAX:
        raise OptionError(PARTS, f"is not a whole number from 1 to {PARTS_MAX}")
    checked = {**engine.options({**plan.engine_options, **_without_parts(options)}), PARTS: count}
    return {name: checked[name] for name in options}


def _without_parts(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name != PARTS}
