"""Delivery of a finished job's file to the path that was asked for."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cli.errors import JobFailed
from pipeline.errors import OptionError
from pipeline.jobs.jobs import Jobs
from pipeline.planning.request import FORMATS


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
