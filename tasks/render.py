"""Intake: plan a script and send it as a chord of chains.

The root task replaces itself by the chord, so that the caller's task ID yields the manifest. Equal requests
are one job: a second root of an open job waits for the same manifest and sends nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from celery.exceptions import Ignore

from pipeline.engines.protocol import Profile
from pipeline.errors import EngineError, OptionError, ScriptError, VoiceError
from pipeline.jobs.jobs import Jobs
from pipeline.jobs.plans import Plan
from pipeline.planning.opening import opening
from pipeline.planning.pronunciation import pronunciation_of
from pipeline.planning.request import Request, checked, read_script, reading_options, split_options
from pipeline.store.artifacts import Store
from pipeline.voices.library import Voices
from tasks.handover.receivers import exclude
from tasks.message_headers import LABELS, OPENING, labels_in_headers, opening_in_headers
from tasks.metering.attempt import note
from tasks.metering.outcome import Replaced
from tasks.notification.webhooks import webhooks_of
from tasks.orchestration import chord
from tasks.orchestration.error_policy import Requeue, classify
from tasks.orchestration.job_lock import job_locked
from tasks.orchestration.refusals import refusals_recorded
from tasks.orchestration.resources import Resources, VoxchordApp
from tasks.orchestration.roots import FLAGS
from tasks.orchestration.store_outage import requeue_while_unavailable
from tasks.orchestration.waiters import first_of, root_id_of
from tasks.task import VoxchordTask

ARGUMENTS = ("script", "voices", "options")
_NAME_MAX = 40
_EXPECTED = (ScriptError, VoiceError, OptionError, EngineError)


class ReplacedByJob(VoxchordTask):
    """A task that is replaced by its job's chord."""

    def on_replace(self, sig: chord.Sig) -> None:
        """Publish the job; Celery has moved the root's ID, links, chain and chord to the stitch.

        Celery's handler sends the signature that it is given, and ends the task with Ignore. It is given the
        whole job, since the stitch is sent by the chord of all segments when they are done.

        Raises:
            Replaced: always, since the job continues.
        """
        try:
            labels = labels_in_headers(self.request.get(LABELS))
            super().on_replace(Publication(self.app, str(self.request.id), sig, labels))  # type: ignore[arg-type]  # has what is called
        except Ignore as ended:
            raise Replaced("by the job's chord") from ended


class Root(ReplacedByJob):
    """The task that takes a script."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Pass all arguments by name, so that superfluous ones are refused as unknown ones are."""
        given = dict(zip(ARGUMENTS, args, strict=False))
        superfluous = {
            f"argument {number}": args[number - 1] for number in range(len(given) + 1, len(args) + 1)
        }
        twice = {f"{name} twice": kwargs.pop(name) for name in ARGUMENTS if name in given and name in kwargs}
        return super().__call__(**given, **kwargs, **superfluous, **twice)


class Publication:
    """A job in place of the signature that replaces its root."""

    def __init__(self, app: VoxchordApp, root: str, answer: chord.Sig, labels: Mapping[str, str]) -> None:
        self.app, self.root, self.answer, self.labels = app, root, answer, labels

    def delay(self) -> None:
        """Join the job's waiters and send its segments; a job that has ended without a file starts again."""
        resources = self.app.resources
        stitch = first_of(self.app, self.answer)
        plan = resources.jobs.plans.need(str(stitch.kwargs["job"]))
        with job_locked(self.app, plan.job):
            if _needs_restart(resources.jobs, plan.job):
                resources.jobs.coordination.reopen(plan.job, flags=FLAGS)
            resources.roots.join(plan.job, self.root, chord.written(self.answer))
        _publish(self.app, plan, self.root, self.answer, self.labels)


def register(app: VoxchordApp) -> None:
    """Register the task with an app."""
    app.task(
        bind=True,
        base=Root,
        name="voxchord.render",
        throws=_EXPECTED,
        retry_on_worker_lost=True,
        max_retries=3,
        default_retry_delay=2,
    )(render)


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
    app, jobs, roots = self.app, self.app.resources.jobs, self.app.resources.roots
    task = str(self.request.id)
    with requeue_while_unavailable(app):
        _begin_opening(self, script, voices or {}, options or {})
    with requeue_while_unavailable(app), refusals_recorded(app.resources, task, script) as names:
        _refuse_unknown(unknown)
        plan = accept(app.resources, script, voices or {}, options or {}, names)
        jobs.intake.accept(task, plan.job)
    note(job=plan.job, engine=plan.options.engine, chars_in=plan.characters)
    with requeue_while_unavailable(app, plan.job):
        manifest = jobs.outcomes.manifest(plan.job)
        if manifest and _stands(jobs.store, manifest):
            return manifest
        error = jobs.outcomes.error(plan.job)
        if error is not None and roots.claimed_by(plan.job) == task:
            raise error  # a redelivery, not a new request
        return self.replace(chord.stitch_of(app, plan.job))


def _begin_opening(task: Root, script: Any, voices: Any, options: Any) -> None:
    """Render the opening of a long text ahead, as a job of its own, where the message says so."""
    root = opening_in_headers(task.request.get(OPENING))
    words = options.get("first_segment_words") if isinstance(options, dict) else None
    if root is None or not isinstance(script, str) or not isinstance(words, int):
        return
    start = opening(script, words)
    if start is None:
        return
    app, jobs = task.app, task.app.resources.jobs
    try:
        plan = accept(app.resources, start, voices, options, set())
    except Exception as error:
        if isinstance(classify(error), Requeue):
            raise
        return  # the whole has the same fault, and is refused for it
    jobs.intake.accept(root, plan.job)
    exclude(jobs, plan.job, app.settings)
    answer = chord.stitch_of(app, plan.job).set(task_id=root)
    Publication(app, root, answer, labels_in_headers(task.request.get(LABELS))).delay()


def _needs_restart(jobs: Jobs, job: str) -> bool:
    """True for a job that no worker will finish: it failed, was cancelled, or its file is gone."""
    manifest = jobs.outcomes.manifest(job)
    if manifest is not None:
        return not _stands(jobs.store, manifest)
    return (
        not jobs.coordination.is_open(job)
        or jobs.outcomes.error(job) is not None
        or jobs.coordination.cancelled(job)
    )


def _stands(store: Store, manifest: dict[str, Any]) -> bool:
    """True if the audio file still exists; the garbage collector may have removed it."""
    audio = manifest["audio"]
    return bool(store.objects.size(audio["name"]) == audio["bytes"])


def _publish(app: VoxchordApp, plan: Plan, root: str, answer: chord.Sig, labels: Mapping[str, str]) -> None:
    """Send the job's segments, unless another root or an earlier delivery has."""
    jobs, roots, rows = app.resources.jobs, app.resources.roots, app.resources.job_rows
    if roots.claim(plan.job, root) != root:
        if jobs.outcomes.closed(plan.job):  # it ended while this root joined its waiters
            answer.apply_async()
    elif not roots.sent(plan.job):
        rows.planned(plan, root, labels)
        missing, failed = jobs.artifacts.missing(plan), jobs.outcomes.failures(plan.job)
        rows.found(plan, plan.segments - len(missing))
        still = [index for index in missing if index not in failed]
        chord.send(app, plan, still, root_id_of(app, answer, root))
        roots.mark_sent(plan.job)


def _refuse_unknown(arguments: Iterable[str]) -> None:
    found = ", ".join(name[:_NAME_MAX] for name in arguments)
    if found:
        raise OptionError(found, "unknown argument of voxchord.render, which has script, voices and options")


def accept(resources: Resources, script: Any, voices: Any, options: Any, names: set[str]) -> Plan:
    """Check a request and store its plan.

    Args:
        names: receives the names of the speakers.

    Raises:
        PipelineError: an invalid request; names every invalid part.
    """
    request, profile = request_of(resources, script, voices, options, names)
    base = _base(resources, request.options.base_job)
    if base is not None:
        request = _with_work(request, resources.jobs, base)
    plan = resources.jobs.plans.create(request, profile)
    if base is not None:
        resources.jobs.revisions.inherit(plan, base)
    return plan


def _with_work(request: Request, jobs: Jobs, base: Plan) -> Request:
    """Adopt the book of a base job, with title, author and cover, for a script that is no book of its own."""
    if request.script.work is not None or not jobs.plans.is_book(base.job):
        return request
    return replace(request, script=replace(request.script, work=jobs.plans.book(base.job)[0]))


def request_of(
    resources: Resources, script: Any, voices: Any, options: Any, names: set[str]
) -> tuple[Request, Profile]:
    """Check a request; nothing is stored.

    Args:
        names: receives the names of the speakers.

    Returns:
        The request, and the profile of its engine.

    Raises:
        PipelineError: an invalid request; names every invalid part.
    """
    if not isinstance(script, str | bytes | list):
        raise ScriptError(1, "the script is neither text nor a list of turns")
    if not isinstance(voices, dict) or not isinstance(options, dict):
        raise OptionError("voices" if not isinstance(voices, dict) else "options", "is not a mapping")
    own, rest = split_options(options, engine=resources.settings.engine)
    refused = webhooks_of(resources.settings).problem(own.webhook) if own.webhook else None
    if refused is not None:
        raise OptionError("webhook", refused)
    engine = resources.engine_of(own)
    reading = reading_options(options, resources.settings.reading_defaults)
    parsed = read_script(
        script,
        reading,
        characters_max=resources.settings.characters_max,
        voices=voices,
    )
    names.update(parsed.speakers)
    registered = Voices(resources.jobs.store)
    checker = resources.checkers.identity(own.verify)
    request = checked(
        parsed,
        voices,
        own,
        rest,
        engine=engine,
        registered=registered,
        checker=checker,
        pronunciation=pronunciation_of(resources.settings.lexicon, reading.lexicon, reading.normalize),
        unspeakable=reading.unspeakable,
    )
    return replace(request, reading=reading.again), engine.profile


def _base(resources: Resources, job: str | None) -> Plan | None:
    """Plan of the job whose chosen takes are inherited; None without one.

    Raises:
        OptionError: unknown job.
    """
    if job is None:
        return None
    base = resources.jobs.plans.get(job)
    if base is None:
        raise OptionError("base_job", f"there is no job {job}")
    return base
