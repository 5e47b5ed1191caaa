"""Formats of a job's audio and subtitles: their names, file endings and media types."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class FileFormat:
    """Format of a file."""

    media_type: str
    """Media type of RFC 6838, with the character set of a text."""
    endings: tuple[str, ...]
    """Endings of file names in lower case, without the dot."""


AUDIO_FORMATS: Mapping[str, FileFormat] = MappingProxyType(
    {
        "flac": FileFormat("audio/flac", ("flac",)),
        "wav": FileFormat("audio/wav", ("wav", "wave")),
        "opus": FileFormat("audio/ogg", ("opus", "ogg")),
        "mp3": FileFormat("audio/mpeg", ("mp3",)),
        "m4b": FileFormat("audio/mp4", ("m4b", "m4a")),
        "aac": FileFormat("audio/aac", ("aac",)),
        "pcm": FileFormat("audio/L16", ("pcm", "raw")),
        **{
            f"{name}.zip": FileFormat("application/zip", (f"{name}.zip",))
            for name in ("flac", "opus", "mp3", "m4b")  # one file per chapter
        },
        "epub": FileFormat("application/epub+zip", ("epub",)),
    }
)
"""Values of a job's option `format`; the first is the default."""
SUBTITLE_FORMATS: Mapping[str, FileFormat] = MappingProxyType(
    {
        "srt": FileFormat("application/x-subrip; charset=utf-8", ("srt",)),
        "vtt": FileFormat("text/vtt; charset=utf-8", ("vtt",)),
    }
)
ARCHIVE = ".zip"
"""End of the formats that are an archive of one file per chapter."""
RAW = "pcm"
"""The format that is samples without a container."""
READ_ALONG = "epub"
"""The format that is a book with its audio."""
ARCHIVES = tuple(name for name in AUDIO_FORMATS if name.endswith(ARCHIVE))
"""Formats of one file per chapter, or per part of some hours."""
DEFAULT_AUDIO_FORMAT = next(iter(AUDIO_FORMATS))
DEFAULT_SUBTITLE_FORMAT = next(iter(SUBTITLE_FORMATS))


def sound_of(name: str) -> str:
    """Format of the sound of a file: that of an archive's files, and of a read-along book's audio.

    >>> sound_of("mp3.zip"), sound_of("epub"), sound_of("flac")
    ('mp3', 'm4b', 'flac')
    """
    return "m4b" if name == READ_ALONG else name.removesuffix(ARCHIVE)


def audio_format_of(name: str) -> str | None:
    """Name of the audio format of a file's name or ending; None if no format has it.

    >>> [audio_format_of(name) for name in (".ogg", "WAV", "book.mp3.zip", ".txt")]
    ['opus', 'wav', 'mp3.zip', None]
    """
    wanted = f".{name.lower()}"
    return next(
        (
            each
            for each, found in AUDIO_FORMATS.items()
            if any(wanted.endswith(f".{ending}") for ending in found.endings)
        ),
        None,
    )
