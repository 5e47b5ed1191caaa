"""Delivery of a finished job's files to the output path."""

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
    """Format selected by a file's ending.

    >>> format_of(Path("out/play.ogg"))
    'opus'
    """
    ending = output.suffix.lower().removeprefix(".")
    name = {"ogg": "opus", "wave": "wav"}.get(ending, ending)
    if name not in FORMATS:
        raise OptionError("output", f"unknown ending of {output.name!r}; available: {', '.join(FORMATS)}")
    return name


def writable(output: Path) -> None:
    """Check that the output can be written.

    Raises:
        OptionError: it cannot.
    """
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with _part(output):
            pass
    except OSError as error:
        raise OptionError("output", f"cannot write to {output.parent}: {error.strerror}") from None


def deliver(store: Jobs, manifest: dict[str, Any], output: Path) -> None:
    """Copy a finished job's files: the audio, and subtitles and turns beside it.

    Raises:
        JobFailed: a file of the job is gone.
        OptionError: a file cannot be written.
    """
    for artifact, target in (
        (manifest["audio"], output),
        (manifest["subtitles"]["srt"], output.with_suffix(".srt")),
        (manifest["subtitles"]["vtt"], output.with_suffix(".vtt")),
        (manifest["turns"], output.with_suffix(".turns.json")),
    ):
        if store.store.objects.size(artifact["name"]) != artifact["bytes"]:
            raise JobFailed(f"{artifact['name']} is missing from the store; render the script again")
        try:
            with _part(target) as part:
                store.store.objects.get_file(artifact["name"], part)
                shutil.move(part, target)
        except OSError as error:
            raise OptionError("output", f"cannot write {target}: {error.strerror}") from None


@contextlib.contextmanager
def _part(target: Path) -> Iterator[Path]:
    """Temporary file beside the target, removed at the end."""
    part = target.with_name(f".{target.name}.part")
    with open(part, "wb"):
        pass
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)
