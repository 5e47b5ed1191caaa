"""`say`: one line at once, to try a voice, a lexicon entry or a command."""

import shutil
import subprocess
import tempfile
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from cli import context
from cli.errors import err, out, reporting_errors
from cli.output import ForceOption, format_of
from cli.scripts import (
    GivenVoices,
    LexiconOption,
    NormalizeOption,
    Source,
    UnspeakableOption,
    engine_of,
    examine,
    reading_of,
    register,
    source_options,
)
from cli.submission import read_option, request, send
from pipeline.delivery.delivery import Delivery, Input
from pipeline.errors import OptionError
from pipeline.jobs.jobs import Jobs
from pipeline.planning.check import Check
from pipeline.planning.request import accepted, split_options
from pipeline.script.turns import NARRATOR
from pipeline.store.artifacts import Store
from pipeline.voices.library import Voices
from tasks.settings import Settings

PLAYERS = (
    ("ffplay", "-nodisp", "-autoexit", "-loglevel", "error"),
    *(("pw-play",), ("paplay",), ("aplay", "-q"), ("afplay",), ("play", "-q")),
)
"""Commands that play a WAV, the first one that is installed."""


def say(
    text: Annotated[str, typer.Argument(help="The words, with commands of docs/scripts.md.")],
    voice: Annotated[
        str, typer.Option("--voice", "-v", metavar="VOICE", help="Preset, registered voice or audio file.")
    ] = "",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Path of the audio file; without it, it is played.")
    ] = None,
    engine: Annotated[str | None, typer.Option(help="`hibari` (embedded), `vibevoice` or `openai`.")] = None,
    model: Annotated[str | None, typer.Option(help="Checkpoint, by its name in the settings.")] = None,
    option: Annotated[
        list[str] | None, typer.Option("--option", metavar="NAME=VALUE", help="Option of the engine.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Another seed, another take.")] = 0,
    lexicon: LexiconOption = None,
    normalize: NormalizeOption = None,
    unspeakable: UnspeakableOption = "error",
    force: ForceOption = False,
) -> None:
    """Speak one line at once, to a file or to the player.

    The embedded engine speaks in this process, without a service. An engine that decodes on devices speaks
    through the configured service, if there is one.
    """
    with reporting_errors():
        found, model = context.with_engine(context.settings(), engine, model)
        options: dict[str, Any] = dict(read_option(each) for each in option or [])
        named = (("engine", engine), ("model", model))
        options |= {"seed": seed, "verify": "off"} | {name: value for name, value in named if value}
        options["format"] = format_of(output) if output else "wav"
        reading = reading_of("prose", None, "name", None, None, lexicon, normalize, unspeakable)
        options |= source_options(reading)
        jobs = context.jobs(found)
        given = GivenVoices({NARRATOR: voice} if voice else {}, {})
        read = [Input("the recording", Path(voice)), *([Input("the lexicon", lexicon)] if lexicon else [])]
        delivery = Delivery(jobs.store, {output: "audio"}, inputs=read, force=force) if output else None
        if delivery:
            delivery.check()
        elif not _player():
            names = ", ".join(name for name, *_ in PLAYERS)
            raise OptionError("output", f"no player is installed ({names}); name a file with `-o`")
        given = register(given, Voices(jobs.store))
        own, rest = split_options(options, engine=found.engine)
        source = Source(text.encode(), reading)
        checked = examine(source, given.voices, own, Voices(jobs.store), found, rest, given=given)
        checked.raise_for_problems()
        _show(checked)
        with tempfile.TemporaryDirectory(prefix="voxchord-say-") as folder:
            if found.broker_url and checked.profile.pool == "threads":
                store, manifest = _through_service(found, jobs, text, given.voices, options)
            else:
                from pipeline.in_process import render

                speaks = engine_of(found, own)
                spoken = accepted(checked, own, speaks.options(rest), engine=speaks)
                store, manifest = render(spoken, speaks, Voices(jobs.store), Path(folder))
            name = manifest["audio"]["name"]
            if delivery and output:
                delivery.write({output: partial(store.objects.get_file, name)})
                out.print(f"{output}: {manifest['duration_s']:.1f} s", highlight=False, soft_wrap=True)
            else:
                played = Path(folder) / f"line.{options['format']}"
                store.objects.get_file(name, played)
                _play(played)


def _through_service(
    found: Settings, jobs: Jobs, text: str, voices: dict[str, str], options: dict[str, Any]
) -> tuple[Store, dict[str, Any]]:
    from cli.progress import watch

    with context.running(found) as (app, service):
        ask = request(app, text, voices, options)
        manifest = watch(app, send(app, ask), None, ask, check=service.check, quiet=True)
        return jobs.store, manifest


def _show(checked: Check) -> None:
    """Print notices, and the words as they are spoken where these are others than the written ones."""
    for notice in checked.summary().notices:
        err.print(f"[yellow]notice:[/] {escape(notice.reason)}", highlight=False, soft_wrap=True)
    if checked.wordings:
        turns = [checked.wordings.get(index, turn.text) for index, turn in enumerate(checked.script.turns)]
        err.print(f"spoken: {escape(' '.join(turns))}", highlight=False, soft_wrap=True)


def _player() -> tuple[str, ...] | None:
    return next((player for player in PLAYERS if shutil.which(player[0])), None)


def _play(file: Path) -> None:
    player = _player()
    if player is None:
        return
    played = subprocess.run([*player, str(file)], check=False, capture_output=True, text=True)
    if played.returncode:
        reason = played.stderr.strip().splitlines()[-1:] or [f"exit code {played.returncode}"]
        raise OptionError("output", f"{player[0]} cannot play it: {reason[0]}; name a file with `-o`")
