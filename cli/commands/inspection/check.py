"""`check`: a script's form, speakers, voices, notices and problems, without rendering it."""

from typing import Annotated

import typer

from cli import context
from cli.errors import Exit, JsonOption, out, print_json, reporting_errors
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
    examine,
    given_voices,
    read_source,
    reading_of,
    register,
    show,
)
from pipeline.planning.request import split_options
from pipeline.voices.library import Voices


def check(
    script: ScriptArgument,
    voice: VoiceOption = None,
    cast: CastOption = None,
    engine: Annotated[str | None, typer.Option(help="Engine: `hibari` or `vibevoice`.")] = None,
    model: Annotated[str | None, typer.Option(help="Checkpoint, by its name in the settings.")] = None,
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
    """Show who speaks in a script, with which voice, and every problem, before anything is rendered.

    Exit code 3 if there are problems.
    """
    with reporting_errors():
        found = context.settings()
        asked = {name: value for name, value in (("engine", engine), ("model", model)) if value}
        options, _ = split_options(asked, engine=found.engine)
        reading = reading_of(
            form, encoding, symbols, chapters, headings, lexicon, normalize, unspeakable, timed
        )
        source = read_source(script, reading)
        registered = Voices(context.jobs(found).store)
        given = given_voices(voice, cast)
        given = register(given, registered)
        summary = examine(source, given.voices, options, registered, found, given=given).summary()
        if json:
            print_json(summary.record())
        else:
            show(summary, out, source.lines(), chapters=True)
        if summary.problems:
            raise typer.Exit(Exit.BAD_INPUT)
