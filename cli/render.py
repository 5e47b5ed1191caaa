"""`render`: one script, here and now, to one file."""

import contextlib
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import uuid4

import typer
from rich.table import Table
from sqlalchemy.exc import SQLAlchemyError

from cli import connection
from cli.exits import JobFailed, out, print_json, told
from cli.patience import Patience, reach
from cli.progress import watch
from db.queries.jobs import costs
from pipeline.errors import OptionError, VoiceError
from pipeline.jobs.jobs import Jobs
from pipeline.planning.request import FORMATS, split_options
from pipeline.script.parser import parse
from pipeline.voices.library import Voices, name_of
from tasks.settings import Settings

if TYPE_CHECKING:
    from celery.result import AsyncResult
    from sqlalchemy import Engine

_AGAIN_S = 1.0


def render(
    script: Annotated[Path, typer.Argument(help="The script: text or JSON; `-` reads standard input.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Where the audio goes; its ending says how.")
    ],
    voice: Annotated[
        list[str] | None,
        typer.Option(
            "--voice", "-v", metavar="SPEAKER=VOICE", help="A preset, a registered voice or a file."
        ),
    ] = None,
    engine: Annotated[str | None, typer.Option(help="`hibari` (embedded) or `vibevoice`.")] = None,
    model: Annotated[
        str | None, typer.Option(help="A checkpoint: a folder, a hub id, or a name from the settings.")
    ] = None,
    option: Annotated[
        list[str] | None, typer.Option("--option", metavar="NAME=VALUE", help="An option of the engine.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Another seed, another take.")] = 0,
    title: Annotated[str, typer.Option(help="Title in the file's metadata.")] = "",
    on_error: Annotated[
        str, typer.Option(help="`fail`, or `gap`: leave silence where a segment can't be made.")
    ] = "fail",
    workers: Annotated[
        int | None, typer.Option(help="Processes that decode; one per core by default.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the manifest as JSON.")] = False,
) -> None:
    """Render a script to one audio file.

    With no broker configured it starts an embedded one and workers of its own. Ctrl-C stops cleanly; the same
    command goes on from where it was. Subtitles and turns are written beside the audio.
    """
    with told():
        found, model = connection.with_engine(connection.settings(), engine, model)
        options = _options(engine, model, option, seed, title, on_error, output)
        source = read_script(script, found)
        split_options(options, engine=found.engine)
        writable(output)
        voices = register(voice or [], Voices(connection.jobs(found).store))
        with connection.running(found, concurrency=workers) as (app, service):
            history = connection.history_that_answers(found)
            ask = request(app, source, voices, options)
            manifest = watch(app, send(app, ask), history, ask, check=service.check, quiet=json)
            deliver(connection.jobs(found), manifest, output)
        if json:
            print_json(manifest)
        else:
            _report(history, manifest, output)


def _options(
    engine: str | None,
    model: str | None,
    option: list[str] | None,
    seed: int,
    title: str,
    on_error: str,
    output: Path,
) -> dict[str, Any]:
    options: dict[str, Any] = dict(read_option(text) for text in option or [])
    options |= {"seed": seed, "title": title, "on_error": on_error, "format": format_of(output)}
    return options | {name: value for name, value in (("engine", engine), ("model", model)) if value}


def format_of(output: Path) -> str:
    """The format that a file's ending asks for.

    >>> format_of(Path("out/play.ogg"))
    'opus'
    """
    ending = output.suffix.lower().removeprefix(".")
    name = {"ogg": "opus", "wave": "wav"}.get(ending, ending)
    if name not in FORMATS:
        raise OptionError(
            "output", f"{output.name!r} ends in no known format; there are {', '.join(FORMATS)}"
        )
    return name


def read_option(text: str) -> tuple[str, str | int | float | bool]:
    """`NAME=VALUE`, a number where it reads as one.

    >>> read_option("guidance=1.3")
    ('guidance', 1.3)
    """
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise OptionError("option", f"{text!r} is not NAME=VALUE")
    if value in ("true", "false"):
        return name, value == "true"
    for kind in (int, float):
        try:
            return name, kind(value)
        except ValueError:
            continue
    return name, value


def read_script(path: Path, found: Settings) -> str:
    """The script's text, read and parsed once here so that a mistake is told at once.

    Raises:
        OptionError: it can't be read.
        ScriptError: it can't be spoken.
    """
    try:
        data = typer.get_binary_stream("stdin").read() if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise OptionError("script", f"can't read {path}: {error.strerror}") from None
    parse(data, characters_max=found.characters_max)
    return data.decode("utf-8-sig")


def writable(output: Path) -> None:
    """
    Raises:
        OptionError: the file couldn't be written there.
    """
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with _part(output):
            pass
    except OSError as error:
        raise OptionError("output", f"can't write to {output.parent}: {error.strerror}") from None


def register(given: list[str], voices: Voices) -> dict[str, str]:
    """`SPEAKER=VOICE` pairs to a mapping; a file is registered under a name made from what it holds."""
    mapping = {}
    for text in given:
        speaker, equals, voice = text.partition("=")
        if not equals or not speaker or not voice:
            raise OptionError("voice", f"{text!r} is not SPEAKER=VOICE")
        path = Path(voice)
        if path.is_file():
            data = read_recording(path.stem, path)
            voice = name_of(path.name, data)
            voices.add(voice, data)
        mapping[speaker] = voice
    return mapping


def read_recording(voice: str, path: Path) -> bytes:
    """A recording's bytes.

    Raises:
        VoiceError: they can't be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise VoiceError(voice, f"can't read {path}: {error.strerror}") from None


def request(
    app: Any, script: str, voices: dict[str, str], options: dict[str, Any]
) -> Callable[[], "AsyncResult[Any]"]:
    """What any other app does too. Called again it sends the same request under the same id, and whoever
    takes it up twice does it once.
    """
    kwargs, task_id = {"script": script, "voices": voices, "options": options}, str(uuid4())

    def ask() -> "AsyncResult[Any]":
        result: AsyncResult[Any] = app.send_task(
            "voxchord.render", kwargs=kwargs, queue="voxchord", task_id=task_id, kwargsrepr="-", argsrepr="()"
        )
        return result

    return ask


def send(app: Any, ask: Callable[[], "AsyncResult[Any]"]) -> "AsyncResult[Any]":
    """While the broker is away, again."""
    patience = Patience(app)
    while not patience.ask(lambda: reach(app)) or (result := patience.ask(ask)) is None:
        time.sleep(_AGAIN_S)
    return result


def deliver(store: Jobs, manifest: dict[str, Any], output: Path) -> None:
    """Copy a finished job's files: the audio, and subtitles and turns beside it.

    Raises:
        JobFailed: a file of the job is gone.
        OptionError: a file can't be written there.
    """
    for artifact, target in (
        (manifest["audio"], output),
        (manifest["subtitles"]["srt"], output.with_suffix(".srt")),
        (manifest["subtitles"]["vtt"], output.with_suffix(".vtt")),
        (manifest["turns"], output.with_suffix(".turns.json")),
    ):
        if store.store.objects.size(artifact["name"]) != artifact["bytes"]:
            raise JobFailed(f"{artifact['name']} is gone from the store; render it again")
        try:
            with _part(target) as part:
                store.store.objects.get_file(artifact["name"], part)
                shutil.move(part, target)
        except OSError as error:
            raise OptionError("output", f"can't write {target}: {error.strerror}") from None


@contextlib.contextmanager
def _part(target: Path) -> Iterator[Path]:
    """An empty file beside the target, which is gone in the end."""
    part = target.with_name(f".{target.name}.part")
    with open(part, "wb"):
        pass
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)


def _report(history: "Engine | None", manifest: dict[str, Any], output: Path) -> None:
    """Where the audio is, and where time and memory went, as far as the history says so."""
    with contextlib.suppress(SQLAlchemyError):
        if history is not None:
            out.print(_costs(history, manifest["job"]))
    minutes, seconds = divmod(round(manifest["duration_s"]), 60)
    out.print(
        f"[bold green]{output}[/]: {minutes} min {seconds:02d} s, {_number(manifest['speed'], digits=1)} "
        f"times real time, {manifest['segments']} segments; subtitles and turns beside it.",
        highlight=False,
        soft_wrap=True,
    )


def _costs(history: "Engine", job: str) -> Table:
    table = Table(title=f"What job {job} cost", title_justify="left", expand=False)
    for name in ("task", "attempts", "run s", "CPU s", "waited s", "peak MiB", "audio s"):
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
