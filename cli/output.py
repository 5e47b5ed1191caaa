"""Output path of a command: an audio file, or a folder of one file per chapter."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from pipeline.errors import OptionError
from pipeline.file_formats import ARCHIVE, ARCHIVES, AUDIO_FORMATS, audio_format_of, sound_of

ForceOption = Annotated[
    bool, typer.Option("--force", help="Replace existing files that voxchord did not write, but no input.")
]
FOLDER_FORMATS = tuple(map(sound_of, ARCHIVES))
_FOLDER_FORMAT = "mp3"


@dataclass(frozen=True, slots=True)
class Output:
    """An output path."""

    path: Path
    folder: bool = False
    """True for one file per chapter in a folder."""


def output_of(text: str) -> Output:
    """Read an output path; one that ends in a slash, and an existing folder, is a folder.

    Raises:
        OptionError: it is the root of the file system.

    >>> output_of("new/book/"), output_of("new/book.m4b").folder
    (Output(path=PosixPath('new/book'), folder=True), False)
    """
    path = Path(text)
    folder = text.endswith(("/", os.sep)) or path.is_dir()
    if path.name in ("", ".."):
        path = path.resolve()  # files beside a folder have its name
    if not path.name:
        raise OptionError("output", f"{text!r} has no name; choose a folder of the book's own")
    return Output(path, folder)


def job_format(output: Output, file_format: str | None = None) -> str:
    """Format of the job of an output.

    Args:
        file_format: format of the files in a folder, which has no ending that selects it.

    >>> job_format(Output(Path("book.ogg"))), job_format(Output(Path("book"), folder=True))
    ('opus', 'mp3.zip')
    """
    if not output.folder:
        if file_format is not None:
            raise OptionError("format", "is that of the files in a folder; the ending of a file selects its")
        return format_of(output.path)
    if file_format not in (None, *FOLDER_FORMATS):
        raise OptionError("format", f"{file_format!r} is unknown; available: {', '.join(FOLDER_FORMATS)}")
    return f"{file_format or _FOLDER_FORMAT}{ARCHIVE}"


def format_of(output: Path) -> str:
    """Format selected by a file's ending.

    >>> format_of(Path("out/play.ogg"))
    'opus'
    """
    name = audio_format_of(output.name)
    if name is None:
        raise OptionError(
            "output", f"unknown ending of {output.name!r}; available: {', '.join(AUDIO_FORMATS)}"
        )
    return name
