"""The door: a script comes in, a plan and a chord of chains go out.

The root replaces itself by the chord, so the caller's one task id yields the finished manifest. Equal
requests are one job: a second root of a standing job waits for the first one's manifest and sends nothing.
"""

import logging
from collections.abc import Iterable
from typing import Any

from celery import Task, chain, chord
from celery.canvas import Signature
from celery.exceptions import Ignore

from pipeline.errors import EngineError, OptionError, PipelineError, ScriptError, VoiceError
from pipeline.jobs import Plan
from pipeline.request import checked, split_options
from pipeline.script import parse
from pipeline.voices import Voices
from tasks import announce
from tasks.app import app, settings
from tasks.metering import note
from tasks.queues import device_queue, priority
from tasks.service import engine_of, jobs
from tasks.stages import SegmentRef, diffusion, semantic, speaker, text

log = logging.getLogger(__name__)

_EXPECTED = (ScriptError, VoiceError, OptionError, EngineError)


@app.task(bind=True, name="voxchord.render", throws=_EXPECTED)
def render(
    self: Task[..., Any],
    script: str | list[dict[str, Any]],
    voices: dict[str, str] | None = None,
    options: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Turn a script into one audio file.

    Args:
        script: lines `Alice: words`, plain prose, or `[{"speaker": …, "text": …}]`.
        voices: a preset or a registered voice for a speaker, by the speaker's name.
        options: see the README; unknown ones are refused.

    Returns:
        The manifest (see `pipeline.manifest`).
    """
    plan = accept(script, voices or {}, options or {})
    note(job=plan.job, engine=plan.options.engine, chars_in=plan.characters)
    manifest = jobs().manifest(plan.job)
    if manifest:
        return manifest
    root = str(self.request.id)
    if jobs().failure(plan.job) is not None or jobs().cancelled(plan.job):
        jobs().reopen(plan.job)
    announce.planned(plan, root)
    if jobs().publish(plan.job, root) != root:
        return _follow(plan, root)
    if jobs().sent(plan.job):
        raise Ignore("delivered twice: the segments are under way")
    try:
        return self.replace(work_left(plan))
    except Ignore:
        jobs().mark_sent(plan.job)
        raise


def accept(script: Any, voices: Any, options: Any) -> Plan:
    """Check a request and write its plan down.

    Raises:
        PipelineError: what is wrong with it, by name.
    """
    if not isinstance(script, str | list):
        raise ScriptError(1, "is neither text nor a list of turns")
    if not isinstance(voices, dict) or not isinstance(options, dict):
        raise OptionError("voices" if not isinstance(voices, dict) else "options", "is not a mapping")
    own, rest = split_options(options, engine=settings.engine)
    engine = engine_of(own)
    parsed = parse(script, characters_max=settings.characters_max)
    request = checked(parsed, voices, own, rest, engine=engine, registered=Voices(jobs().store))
    return jobs().create(request, engine.profile)


def work_left(plan: Plan) -> Signature[Any]:
    """What still has to be done: a chord of chains for the segments without audio, or the stitch alone."""
    from tasks.stitch import stitch

    missing = jobs().missing(plan)
    body = stitch.si(job=plan.job)
    return chord(list(chains(plan, missing)), body) if missing else body


def chains(plan: Plan, segments: Iterable[int]) -> Iterable[Signature[Any]]:
    """One chain of stages per segment, the job's first segments before those of other jobs."""
    gpu: dict[str, Any] = {"queue": device_queue(plan.options.device)} if plan.options.device else {}
    for position, index in enumerate(segments):
        ref: SegmentRef = {"job": plan.job, "segment": index}
        step: dict[str, Any] = {"priority": priority(position)}
        yield chain(
            text.s(ref).set(**step),
            semantic.s().set(**step),
            speaker.s().set(**step, **gpu),
            diffusion.s().set(**step, **gpu),
        )


def _follow(plan: Plan, root: str) -> dict[str, Any]:
    """Wait for the manifest that another root's chord will make: the stitch tells all who wait."""
    jobs().wait(plan.job, root)
    manifest = jobs().manifest(plan.job)
    if manifest:
        return manifest
    failure = jobs().failure(plan.job)
    if failure is not None:
        raise PipelineError(failure)
    raise Ignore("the job stands already; its manifest comes to this id too")
