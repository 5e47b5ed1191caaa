"""`diff`: the segments that another version of a script would change, and how long these take."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from cli import context
from cli.errors import JsonOption, out, print_json, reporting_errors
from cli.job_ids import find_job
from cli.scripts import (
    CastOption,
    ChaptersOption,
    EncodingOption,
    FormOption,
    HeadingsOption,
    LexiconOption,
    NormalizeOption,
    ScriptArgument,
    SymbolsOption,
    TimedOption,
    UnspeakableOption,
    VoiceOption,
    given_voices,
    read_source,
    reading_of,
    register,
    source_options,
)
from cli.submission import read_option
from pipeline.errors import OptionError
from pipeline.planning.request import ReadingOptions
from pipeline.voices.library import Voices
from tasks.settings import Settings


def diff(
    old: Annotated[
        str, typer.Argument(help="Job ID, its first characters, the task ID, or the file of a script.")
    ],
    new: ScriptArgument,
    voice: VoiceOption = None,
    cast: CastOption = None,
    option: Annotated[
        list[str] | None,
        typer.Option("--option", metavar="NAME=VALUE", help="Option of the job or the engine."),
    ] = None,
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
    """Show which segments a new version of a script changes, and how long that takes. Renders nothing.

    Voices and options are those of the old job, unless others are given.
    """
    with reporting_errors():
        found = context.settings()
        reading = reading_of(
            form, encoding, symbols, chapters, headings, lexicon, normalize, unspeakable, timed
        )
        source = read_source(new, reading)
        arguments: dict[str, Any] = {"script": source.content(), **_old(found, old, reading)}
        arguments["options"] = dict(read_option(text) for text in option or []) | source_options(reading)
        given = given_voices(voice, cast)
        if given.voices:
            given = register(given, Voices(context.jobs(found).store))
            arguments["voices"] = given.voices
        record = _compared(found, arguments)
        if json:
            print_json(record)
        else:
            _show(record)


def _old(found: Settings, old: str, reading: ReadingOptions) -> dict[str, Any]:
    """Argument of the old version: a script's file if there is one, else a job.

    Raises:
        OptionError: neither.
    """
    path = Path(old)
    if path.is_file():
        return {"old_script": read_source(path, reading).content()}
    try:
        return {"job": find_job(context.jobs(found), old)}
    except OptionError as error:
        raise OptionError("old", f"there is no such file, and {error.reason}") from None


def _compared(found: Settings, arguments: dict[str, Any]) -> dict[str, Any]:
    """Compare here; in a deployment, whose workers have the checkpoints, as any other app does."""
    if found.broker_url:
        answer: dict[str, Any] = context.answer(found, "voxchord.diff", "voxchord", arguments)
        return answer
    from tasks.diff import compare
    from tasks.orchestration.resources import Resources

    return compare(Resources(found), **arguments)


def _show(record: dict[str, Any]) -> None:
    changed, removed = record["changed"], record["removed"]
    out.print(
        f"{len(changed)} of {record['segments']} segments change, {record['unchanged']} stay, "
        f"{len(removed)} are no longer used",
        highlight=False,
    )
    if changed or removed:
        table = Table()
        for name in ("", "segment", "lines", "words", "about s", "in the store"):
            table.add_column(name, justify="left" if name in ("", "in the store") else "right")
        for sign, segments in (("+", changed), ("-", removed)):
            for each in segments:
                table.add_row(sign, *_row(each), "yes" if each["made"] else "")
        out.print(table)
    out.print(_time(record), highlight=False)


def _row(each: dict[str, Any]) -> tuple[str, str, str, str]:
    first, last = each["first_line"], each["last_line"]
    lines = str(first) if first == last else f"{first}-{last}"
    return str(each["segment"]), lines, str(each["words"]), f"{each['audio_s']:.1f}"


def _time(record: dict[str, Any]) -> str:
    audio, estimate = f"about {record['audio_s']:.1f} s of audio to be made", record["estimate"]
    if not record["audio_s"]:
        return "nothing is to be made: only the file is joined anew"
    if estimate["wall_s"] is None:
        return f"{audio}; duration unknown: the history has no such work of the last {estimate['days']} days"
    return (
        f"{audio}, which takes about {estimate['wall_s']:.1f} s with {estimate['processes']} processes "
        f"({estimate['work_s']:.1f} s of work, by {estimate['based_on_audio_s']} s of audio made before)"
    )
