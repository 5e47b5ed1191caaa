"""Reading and sending of requests from the command line."""

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import uuid4

import typer

from cli.broker_retry import Patience, reach
from pipeline.errors import OptionError, VoiceError
from pipeline.planning.request import ReadingOptions
from pipeline.script.encoding import decode
from pipeline.script.form import FORMS
from pipeline.script.parser import parse
from pipeline.voices.library import Voices, name_of
from tasks.settings import Settings

if TYPE_CHECKING:
    from celery.result import AsyncResult


_AGAIN_S = 1.0


def read_option(text: str) -> tuple[str, str | int | float | bool]:
    """Parse `NAME=VALUE`; numbers and truth values are converted.

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


FormOption = Annotated[
    str | None,
    typer.Option(help=f"Form of the script, where it is not recognised: {', '.join(FORMS)}."),
]
EncodingOption = Annotated[
    str | None, typer.Option(help="Encoding of the file, where it is not UTF-8: `windows-1252`, …")
]


def read_source(path: Path) -> bytes:
    """Read a script's bytes; `-` is standard input.

    Raises:
        OptionError: it can't be read.
    """
    try:
        return typer.get_binary_stream("stdin").read() if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise OptionError("script", f"cannot read {path}: {error.strerror}") from None


def read_script(path: Path, found: Settings, reading: ReadingOptions, cast: Collection[str]) -> str:
    """Read a script and parse it here, so that a mistake is reported at once.

    Args:
        cast: names that are given voices.

    Raises:
        OptionError: the file cannot be read.
        ScriptError: the script cannot be spoken.
    """
    data = read_source(path)
    parse(data, characters_max=found.characters_max, form=reading.form, encoding=reading.encoding, cast=cast)
    return decode(data, reading.encoding)


def split_voices(given: Iterable[str]) -> dict[str, str]:
    """`SPEAKER=VOICE` pairs to a mapping.

    Raises:
        OptionError: a pair without a name, a sign or a voice.
    """
    mapping = {}
    for text in given:
        speaker, equals, voice = text.partition("=")
        if not equals or not speaker or not voice:
            raise OptionError("voice", f"{text!r} is not SPEAKER=VOICE")
        mapping[speaker] = voice
    return mapping


def register(given: Mapping[str, str], voices: Voices) -> dict[str, str]:
    """Map speakers to voices; files are registered under a name made from their content."""
    mapping = dict(given)
    for speaker, voice in given.items():
        path = Path(voice)
        if path.is_file():
            data = read_recording(path.stem, path)
            mapping[speaker] = name_of(path.name, data)
            voices.add(mapping[speaker], data)
    return mapping


def read_recording(voice: str, path: Path) -> bytes:
    """Read the bytes of a recording.

    Raises:
        VoiceError: the file cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise VoiceError(voice, f"cannot read {path}: {error.strerror}") from None


def request(
    app: Any, script: str, voices: dict[str, str], options: dict[str, Any]
) -> Callable[[], "AsyncResult[Any]"]:
    """Build a function that sends the request, as any other app does.

    Calling it again sends the same task ID; the service runs a repeated request once.
    """
    kwargs, task_id = {"script": script, "voices": voices, "options": options}, str(uuid4())

    def ask() -> "AsyncResult[Any]":
        result: AsyncResult[Any] = app.send_task(
            "voxchord.render", kwargs=kwargs, queue="voxchord", task_id=task_id, kwargsrepr="-", argsrepr="()"
        )
        return result

    return ask


def send(app: Any, ask: Callable[[], "AsyncResult[Any]"]) -> "AsyncResult[Any]":
    """Send a request, and retry while the broker is unreachable."""
    patience = Patience(app)
    while not patience.ask(lambda: reach(app)) or (result := patience.ask(ask)) is None:
        time.sleep(_AGAIN_S)
    return result
