"""`submit`, `jobs`, `status`, `fetch`, `cancel`: jobs of a running service."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import uuid4

import typer
from rich.live import Live
from rich.table import Table

from cli import context
from cli.broker_retry import BrokerRetry, reach
from cli.errors import JobFailed, JsonOption, Unreachable, err, out, print_json, reporting_errors
from cli.job_ids import find_job
from cli.output import ForceOption, Output, output_of
from cli.scripts import (
    CastOption,
    ChaptersOption,
    EncodingOption,
    FormOption,
    HeadingsOption,
    LexiconOption,
    LoudnessOption,
    NormalizeOption,
    ScriptArgument,
    SplitHoursOption,
    SymbolsOption,
    TimedOption,
    UnspeakableOption,
    VoiceOption,
    examine,
    file_options,
    given_voices,
    read_source,
    reading_of,
    register,
    source_options,
)
from cli.submission import accepted_job, read_option, request, send
from cli.user import actor
from pipeline.delivery.delivery import Delivery
from pipeline.delivery.job_files import deliver, delivery_of
from pipeline.engines.protocol import Uncontrolled
from pipeline.errors import OptionError
from pipeline.file_formats import ARCHIVE, audio_format_of
from pipeline.jobs.actions import CANCEL
from pipeline.jobs.jobs import Jobs
from pipeline.jobs.plans import Plan
from pipeline.planning.request import split_options
from pipeline.views.states import finished_segments, newest_manifest, state_of
from pipeline.voices.library import Voices
from tasks.settings import Settings

if TYPE_CHECKING:
    from tasks.orchestration.resources import VoxchordApp

JobArgument = Annotated[str, typer.Argument(help="Job ID, its first characters, or the task ID.")]


UPGRADE = "start workers of this release (`worker --cpu`), before the intake when you upgrade"
"""Advice where a stage has no worker."""


def submit(
    script: ScriptArgument,
    voice: VoiceOption = None,
    cast: CastOption = None,
    option: Annotated[
        list[str] | None,
        typer.Option("--option", metavar="NAME=VALUE", help="Option of the job or the engine."),
    ] = None,
    loudness: LoudnessOption = None,
    split_hours: SplitHoursOption = None,
    form: FormOption = None,
    encoding: EncodingOption = None,
    symbols: SymbolsOption = None,
    unspeakable: UnspeakableOption = "error",
    chapters: ChaptersOption = None,
    headings: HeadingsOption = None,
    timed: TimedOption = False,
    lexicon: LexiconOption = None,
    normalize: NormalizeOption = None,
    json: JsonOption = False,
) -> None:
    """Check a script as `render` does, send it to the service, and print the job's ID."""
    with reporting_errors():
        found = context.settings()
        app = context.client(found)
        options = dict(read_option(text) for text in option or [])
        reading = reading_of(
            form, encoding, symbols, chapters, headings, lexicon, normalize, unspeakable, timed
        )
        options |= source_options(reading) | file_options(loudness, split_hours)
        own, rest = split_options(options, engine=found.engine)
        source = read_source(script, reading)
        jobs, given = context.jobs(found), given_voices(voice, cast)
        registered = Voices(jobs.store)
        given = register(given, registered)
        examine(source, given.voices, own, registered, found, rest, given=given).raise_for_problems()
        result = send(app, request(app, source.content(), given.voices, options))
        job = accepted_job(jobs, str(result.id))
        if json:
            print_json({"job": job, "task": result.id})
        else:
            _print_submitted(job, str(result.id))


def _print_submitted(job: str | None, task: str) -> None:
    """Print the ID alone on standard output, and advice for people beside it."""
    out.print(job or task, highlight=False, soft_wrap=True)
    if job is None:
        err.print(
            "no worker has accepted the request yet, so this is its task ID, which `status` takes too. Check "
            "that an intake worker is running (`worker --intake`).",
            style="yellow",
        )
    elif out.is_terminal and err.is_terminal:
        err.print(f"`python voxchord.py status {job}` shows it", style="dim", highlight=False)


def list_jobs(
    limit: Annotated[int, typer.Option(min=1, help="Number of jobs, newest first.")] = 20,
    json: JsonOption = False,
) -> None:
    """List the newest jobs."""
    from db.queries.jobs import list_jobs as read

    with reporting_errors():
        rows = read(context.history(context.settings()), limit=limit)
        if json:
            print_json([_plain(row) for row in rows])
            return
        table = Table()
        table.add_column("job", no_wrap=True, min_width=20)
        for name in ("state", "engine", "segments", "audio s", "speed", "error"):
            table.add_column(name)
        for row in rows:
            table.add_row(
                row["id"],
                row["state"],
                row["engine"],
                *(_shown(row[name]) for name in ("segments", "audio_s", "speed")),
                row["error"] or "",
            )
        out.print(table)


def status(
    job: JobArgument,
    watch: Annotated[bool, typer.Option("--watch", help="Refresh until the job has ended.")] = False,
    json: JsonOption = False,
) -> None:
    """Show the state of a job; exit code 4 if it failed."""
    with reporting_errors():
        found = context.settings()
        store = context.jobs(found)
        name = find_job(store, job)
        state = _state(found, store, name)
        if watch and not json:
            with Live(console=out) as screen:
                while state["state"] == "RUNNING":
                    screen.update(_status_table(state))
                    time.sleep(0.5)
                    state = _state(found, store, name)
                screen.update(_status_table(state))
        elif json:
            while watch and state["state"] == "RUNNING":
                time.sleep(0.5)
                state = _state(found, store, name)
            print_json(state)
        else:
            out.print(_status_table(state))
        if state["state"] in ("FAILED", "CANCELLED"):
            raise JobFailed(state["error"] or f"job {name} was cancelled")


def fetch(
    job: JobArgument,
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            metavar="PATH",
            help="Path of the audio file, or of a folder for its chapters.",
        ),
    ],
    revision: Annotated[
        int | None, typer.Option(help="Revision of the file; by default the newest one, 0 is the first.")
    ] = None,
    so_far: Annotated[
        bool, typer.Option("--so-far", help="Write the finished start of a running job, audio alone.")
    ] = False,
    force: ForceOption = False,
    json: JsonOption = False,
) -> None:
    """Copy a finished job's audio, subtitles and turns."""
    with reporting_errors():
        store = context.jobs(context.settings())
        name = find_job(store, job)
        raise_if_refused(store, name)
        target = output_of(output)
        if so_far and store.outcomes.manifest(name) is None:
            _fetch_start(store, name, target, force=force)
            return
        manifest = finished_manifest(store, name, revision)
        _check_format(name, manifest["file_format"], target)
        delivery = delivery_of(store, target.path, folder=target.folder, force=force)
        delivery.check()
        deliver(store, manifest, target.path, delivery)
        if json:
            print_json(manifest)
        else:
            out.print(f"{target.path}", highlight=False, soft_wrap=True)


def _fetch_start(store: Jobs, job: str, output: Output, *, force: bool) -> None:
    """Write the finished start of a running job; a later `fetch` to the same path replaces it."""
    from pipeline import finalize

    plan = store.plans.need(job)
    if output.folder:
        raise OptionError("output", "--so-far writes one file; name a file")
    _check_format(job, plan.options.format, output)
    delivery = Delivery(store.store, {output.path: "audio"}, force=force)
    delivery.check()

    def write(path: Path) -> None:
        joined = finalize.join_so_far(store, plan, Uncontrolled(), path)
        if joined is None:
            raise JobFailed(f"the first segment of job {job} is not finished yet")
        err.print(f"{joined.duration_s:.1f} s so far", highlight=False)

    delivery.write({output.path: write})
    out.print(f"{output.path}", highlight=False, soft_wrap=True)


def _check_format(job: str, expected: str, output: Output) -> None:
    """
    Raises:
        OptionError: the output's ending selects another format, or it is a folder and the job has one file.
    """
    if output.folder and not expected.endswith(ARCHIVE):
        raise OptionError("output", f"{output.path} is a folder; job {job} has one file of format {expected}")
    if not output.folder and audio_format_of(output.path.name) != expected:
        raise OptionError("output", f"job {job} has format {expected}, not that of {output.path.name!r}")


def finished_manifest(store: Jobs, job: str, revision: int | None = None) -> dict[str, Any]:
    """Manifest of a revision of a job, by default of the newest finished one.

    Raises:
        JobFailed: it is not finished.
        OptionError: there is no such revision.
    """
    if store.outcomes.manifest(job) is None:
        raise JobFailed(store.outcomes.failure(job) or f"job {job} is not finished")
    found = newest_manifest(store, job, revision)
    if found is None:
        raise OptionError("revision", f"job {job} has no finished revision {revision}")
    return found


def cancel(job: JobArgument) -> None:
    """Stop a job. Its finished segments stay; the same request resumes it."""
    with reporting_errors():
        found = context.settings()
        store = context.jobs(found)
        name = find_job(store, job)
        raise_if_refused(store, name)
        if store.outcomes.manifest(name) is not None:
            raise JobFailed(f"job {name} is already finished")
        app = context.client(found)
        store.actions.record(str(uuid4()), name, CANCEL, actor())
        store.coordination.cancel(name)  # its stages check this flag, even without the broker
        if not BrokerRetry(app).call(lambda: reach(app)):
            raise Unreachable("the broker does not answer: the job stops, and its clients are answered later")
        from tasks.orchestration.waiters import cancel as cancel_and_answer

        cancel_and_answer(app, name)
        out.print(f"job {name} is being cancelled", highlight=False)


def raise_if_refused(store: Jobs, job: str) -> None:
    """
    Raises:
        JobFailed: the job is a refused request.
    """
    refusal = store.intake.refusal(job)
    if refusal is not None:
        raise JobFailed(f"job {job} was refused: {refusal.error}")


def _state(found: Settings, store: Jobs, job: str) -> dict[str, Any]:
    """State of a job, from the store; works without the database."""
    found_state = state_of(store, job)
    plan, manifest = found_state.plan, found_state.manifest
    error = "" if found_state.error is None else str(found_state.error)
    if plan is None:
        return {"job": job, "state": found_state.state, "error": error}
    return {
        "job": job,
        "state": found_state.state,
        "engine": plan.options.engine,
        "segments": plan.segments,
        "segments_done": finished_segments(store, found_state),
        "paused": "" if found_state.ended else _pause(found, store, plan) or "",
        "error": error,
        "audio_s": manifest["duration_s"] if manifest else None,
        "actions": [str(action) for action in store.actions.of(job)],
    }


def _unserved(store: Jobs, plan: Plan) -> str | None:
    """Reason why a job waits for its device, if no worker serves it."""
    waits = plan.options.device and store.coordination.unserved_s(plan.job) is not None
    return f"no worker serves device {plan.options.device!r}" if waits else None


def _pause(found: Settings, store: Jobs, plan: Plan) -> str | None:
    """Reason why a running job waits, if its store or a running service reports one."""
    try:
        app = context.client(found)
    except Unreachable:
        return _unserved(store, plan)
    from tasks.broker.refusals import refusal
    from tasks.orchestration.store_outage import reason

    retry = BrokerRetry(app)
    return (
        refusal(app)
        or retry.call(lambda: reason(app, plan.job))
        or _unserved(store, plan)
        or _without_worker(app, retry)
    )


def _without_worker(app: "VoxchordApp", retry: BrokerRetry) -> str | None:
    """Notice of stages that no worker runs, though their messages wait and other workers answer."""
    from tasks.broker.consumers import waiting_unserved
    from tasks.broker.queues import CPU

    queues = retry.call(lambda: waiting_unserved(app, CPU))
    return f"no worker consumes {', '.join(queues)}; {UPGRADE}" if queues else None


def _status_table(state: dict[str, Any]) -> Table:
    table = Table.grid(padding=(0, 2))
    for name, value in state.items():
        if value not in ("", None, []):
            shown = "\n".join(value) if isinstance(value, list) else str(value)
            table.add_row(name.replace("_", " "), shown)
    return table


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value.isoformat() if hasattr(value, "isoformat") else value
        for name, value in row.items()
        if value is not None
    }


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}" if isinstance(value, float) else str(value)
