"""Intake: plan a script and send it as a chord of chains.

The root task replaces itself by the chord, so that the caller's task ID yields the manifest. Equal requests
are one job: a second root of an open job waits for the same manifest and sends nothing.
"""

from typing import Any

from celery.exceptions import Ignore

from pipeline.errors import EngineError, OptionError, ScriptError, VoiceError
from pipeline.jobs.plans import Plan
from pipeline.planning.request import checked, reading_options, split_options
from pipeline.script.parser import parse
from pipeline.voices.library import Voices
from tasks.app import app, settings
from tasks.metering.attempt import note
from tasks.orchestration import chord, job_rows, store_outage
from tasks.orchestration.resources import engine_of, jobs, roots
from tasks.orchestration.roots import FLAGS
from tasks.orchestration.waiters import stitch_of
from tasks.task import VoxchordTask

_EXPECTED = (ScriptError, VoiceError, OptionError, EngineError)


class Root(VoxchordTask):
    """A task that is replaced by its job's chord."""

    def on_replace(self, sig: chord.Sig) -> None:
        """Publish the job; Celery has moved the root's ID, links, chain and chord to the stitch."""
        plan = jobs().plans.need(_stitched(sig))
        root = str(self.request.id)
        roots().join(plan.job, root, chord.written(sig))
        _publish(plan, root, sig)
        raise Ignore("Replaced by new task")


@app.task(
    bind=True,
    base=Root,
    name="voxchord.render",
    throws=_EXPECTED,
    retry_on_worker_lost=True,
    max_retries=3,
    default_retry_delay=2,
)
def render(
    self: Root,
    /,
    script: str | bytes | list[dict[str, Any]] | None = None,
    voices: dict[str, str] | None = None,
    options: dict[str, Any] | None = None,
    **unknown: Any,
) -> dict[str, Any]:
    """Render a script to one audio file.

    Args:
        script: text in any form of docs/scripts.md, or `[{"speaker": …, "text": …}]`.
        voices: presets or registered voices, by speaker.
        options: see docs/api.md; unknown options are refused.

    Returns:
        The manifest (see `pipeline.stitching.manifest`).
    """
    for name in unknown:
        raise OptionError(
            name[:40], "unknown argument of voxchord.render, which has script, voices and options"
        )
    with store_outage.until_stored():
        plan = accept(script, voices or {}, options or {})
    note(job=plan.job, engine=plan.options.engine, chars_in=plan.characters)
    with store_outage.until_stored(plan.job):
        manifest = jobs().outcomes.manifest(plan.job)
        if manifest and _stands(manifest):
            return manifest
        error = jobs().outcomes.error(plan.job)
        if error is not None and roots().claimed_by(plan.job) == str(self.request.id):
            raise error  # a redelivery, not a new request
        if (
            not jobs().coordination.is_open(plan.job)
            or jobs().outcomes.closed(plan.job)
            or jobs().coordination.cancelled(plan.job)
        ):
            jobs().coordination.reopen(plan.job, flags=FLAGS)
        return self.replace(stitch_of(plan.job))


def _stands(manifest: dict[str, Any]) -> bool:
    """True if the audio file still exists; the garbage collector may have removed it."""
    audio = manifest["audio"]
    return bool(jobs().store.objects.size(audio["name"]) == audio["bytes"])


def _publish(plan: Plan, root: str, answer: chord.Sig) -> None:
    """Send the job's segments, unless another root or an earlier delivery has."""
    if roots().claim(plan.job, root) != root:
        if jobs().outcomes.closed(plan.job):  # it ended while this root joined its waiters
            answer.apply_async()
    elif not roots().sent(plan.job):
        job_rows.planned(plan, root)
        missing = jobs().artifacts.missing(plan)
        job_rows.found(plan, plan.segments - len(missing))
        chord.send(plan, missing, answer)
        roots().mark_sent(plan.job)


def _stitched(sig: chord.Sig) -> str:
    """Job of the stitch that a signature starts with; a chain if the root was part of one."""
    first = getattr(sig, "tasks", [sig])[0]
    return str(first.kwargs["job"])


def accept(script: Any, voices: Any, options: Any) -> Plan:
    """Check a request and store its plan.

    Raises:
        PipelineError: an invalid request; names the invalid part.
    """
    if not isinstance(script, str | bytes | list):
        raise ScriptError(1, "the script is neither text nor a list of turns")
    if not isinstance(voices, dict) or not isinstance(options, dict):
        raise OptionError("voices" if not isinstance(voices, dict) else "options", "is not a mapping")
    own, rest = split_options(options, engine=settings.engine)
    engine = engine_of(own)
    reading = reading_options(options)
    parsed = parse(
        script,
        characters_max=settings.characters_max,
        form=reading.form,
        encoding=reading.encoding,
        cast=[str(name) for name in voices],
    )
    request = checked(parsed, voices, own, rest, engine=engine, registered=Voices(jobs().store))
    return jobs().plans.create(request, engine.profile)
