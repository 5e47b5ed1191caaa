"""`render`: one script to one audio file."""

import contextlib
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from sqlalchemy.exc import SQLAlchemyError

from cli import context
from cli.errors import err, out, print_json, reporting_errors
from cli.output import FOLDER_FORMATS, ForceOption, Output, job_format, output_of
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
    inputs,
    read_source,
    reading_of,
    register,
    show,
    source_options,
)
from cli.submission import read_option, request, send
from pipeline.delivery.job_files import deliver, delivery_of
from pipeline.planning.request import split_options
from pipeline.voices.library import Voices

if TYPE_CHECKING:
    from sqlalchemy import Engine


def render(
    script: ScriptArgument,
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            metavar="PATH",
            help="Path of the audio file, whose ending selects the format, or of a folder of one file per "
            "chapter, with a slash at its end.",
        ),
    ],
    file_format: Annotated[
        str | None,
        typer.Option("--format", help=f"Files in a folder: {', '.join(FOLDER_FORMATS)}; by default mp3."),
    ] = None,
    voice: VoiceOption = None,
    cast: CastOption = None,
    engine: Annotated[str | None, typer.Option(help="`hibari` (embedded), `vibevoice` or `openai`.")] = None,
    model: Annotated[
        str | None, typer.Option(help="Checkpoint: a folder, a hub ID, or a name from the settings.")
    ] = None,
    option: Annotated[
        list[str] | None, typer.Option("--option", metavar="NAME=VALUE", help="Option of the engine.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Another seed, another take.")] = 0,
    title: Annotated[str, typer.Option(help="Title in the file's metadata.")] = "",
    on_error: Annotated[
        str, typer.Option(help="`fail`, or `gap`: leave silence where a segment cannot be made.")
    ] = "fail",
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
    workers: Annotated[
        int | None, typer.Option(min=1, help="Decoding processes; one per core by default.")
    ] = None,
    force: ForceOption = False,
    json: Annotated[bool, typer.Option("--json", help="Print the manifest as JSON.")] = False,
) -> None:
    """Render a script to one audio file.

    Without a configured broker it starts an embedded one with its own workers. Ctrl-C stops cleanly; the same
    command resumes. Subtitles and turns are written beside the audio. Files that voxchord did not write are
    replaced only with `--force`, and files that the command reads never.
    """
    from cli.progress import watch

    with reporting_errors():
        found, model = context.with_engine(context.settings(), engine, model)
        target = output_of(output)
        options = _options(engine, model, option, seed, title, on_error, job_format(target, file_format))
        reading = reading_of(
            form, encoding, symbols, chapters, headings, lexicon, normalize, unspeakable, timed
        )
        options |= source_options(reading) | file_options(loudness, split_hours)
        own, rest = split_options(options, engine=found.engine)
        source = read_source(script, reading)
        jobs, given = context.jobs(found), given_voices(voice, cast)
        delivery = delivery_of(
            jobs, target.path, folder=target.folder, inputs=tuple(inputs(script, given)), force=force
        )
        delivery.check()
        registered = Voices(jobs.store)
        given = register(given, registered)
        examined = examine(source, given.voices, own, registered, found, rest, given=given)
        examined.raise_for_problems()
        if not json:
            show(examined.summary(), err)
        with context.running(found, concurrency=workers) as (app, service):
            history = context.history_that_answers(found)
            ask = request(app, source.content(), given.voices, options)
            manifest = watch(app, send(app, ask), history, ask, check=service.check, quiet=json)
            deliver(jobs, manifest, target.path, delivery)
        if json:
            print_json(manifest)
        else:
            _report(history, manifest, target)


def _options(
    engine: str | None,
    model: str | None,
    option: list[str] | None,
    seed: int,
    title: str,
    on_error: str,
    file_format: str,
) -> dict[str, Any]:
    options: dict[str, Any] = dict(read_option(text) for text in option or [])
    options |= {"seed": seed, "title": title, "on_error": on_error, "format": file_format}
    return options | {name: value for name, value in (("engine", engine), ("model", model)) if value}


def _report(history: "Engine | None", manifest: dict[str, Any], output: Output) -> None:
    """Print the result and, if the history answers, the cost of each stage."""
    with contextlib.suppress(SQLAlchemyError):
        if history is not None:
            out.print(_costs(history, manifest["job"]))
    if manifest.get("shifts"):
        _report_shifts(manifest["shifts"])
    minutes, seconds = divmod(round(manifest["duration_s"]), 60)
    segments = "1 segment" if manifest["segments"] == 1 else f"{manifest['segments']} segments"
    out.print(
        f"[bold green]{output.path}[/]: {minutes} min {seconds:02d} s, "
        f"{_number(manifest['speed'], digits=1)} times real time, {segments}; "
        "subtitles and turns are beside it.",
        highlight=False,
        soft_wrap=True,
    )
    if manifest["loudness_report"]:
        _print_loudness(manifest["loudness_report"])


def _print_loudness(report: dict[str, Any]) -> None:
    """Print the measurements of a preset, one line each."""
    color, verdict = ("green", "passed") if report["passed"] else ("red", "failed")
    out.print(f"loudness preset {report['preset']}: [bold {color}]{verdict}[/]", highlight=False)
    for each in report["measurements"]:
        limits = [
            f"{word} {each[bound]:g}"
            for word, bound in (("at least", "least"), ("at most", "most"))
            if each[bound] is not None
        ]
        value = "silence" if each["value"] is None else f"{each['value']:g}"
        mark = "ok" if each["passed"] else "[red]FAILED[/]"
        where = f", file {each['file']}" if each["file"] else ""
        out.print(f"  {mark} {each['name']} {value} ({', '.join(limits)}{where})", highlight=False)


def _report_shifts(shifts: dict[str, Any]) -> None:
    if not shifts["shifted"]:
        out.print(f"all {shifts['cues']} cues begin at their times", highlight=False)
        return
    out.print(
        f"[yellow]{shifts['shifted']} of {shifts['cues']} cues begin late[/], as the speech before them is "
        f"longer: {shifts['total_s']:.2f} s in total, at most {shifts['largest_s']:.2f} s (line "
        f"{shifts['largest_line']}); see the cues beside the file",
        highlight=False,
        soft_wrap=True,
    )


def _costs(history: "Engine", job: str) -> Table:
    from db.queries.jobs import costs

    table = Table(title=f"Cost of job {job}", title_justify="left", expand=False)
    for name in ("task", "attempts", "run s", "CPU s", "wait s", "peak MiB", "audio s"):
        table.add_column(name, justify="left" if name == "task" else "right")
    for row in costs(history, job):
        table.add_row(
            row["task_name"].removeprefix("voxchord."),
            str(row["attempts"]),
            *(_number(row[name]) for name in ("run_s", "cpu_s", "queue_wait_s")),
            _number(row["rss_peak_bytes"] and row["rss_peak_bytes"] / 2**20, digits=0),
            _number(row["audio_s"], digits=1),
        )
    return table


def _number(value: float | None, *, digits: int = 2) -> str:
    return "—" if value is None else f"{value:.{digits}f}"
