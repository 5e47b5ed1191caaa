"""Tags of finished files: metadata, cover and chapter marks, in the forms that containers want."""

import base64
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

from pipeline.script.vocabulary import words_of
from pipeline.stitching.subtitles import clock_time

NOTICE = "AI-generated speech, made with voxchord"


@dataclass(frozen=True, slots=True)
class ChapterTag:
    """Mark of a chapter."""

    title: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Tags:
    """Metadata of a file, all of it optional."""

    title: str = ""
    authors: tuple[str, ...] = ()
    album: str = ""
    """Title of the whole work, where the file is a part of it."""
    series: str = ""
    language: str = ""
    """Language tag (BCP 47)."""
    track: str = ""
    """Number among the files of a work: `3/12`."""
    cover: bytes = field(default=b"", repr=False)
    cover_type: str = ""
    """`image/jpeg` or `image/png`."""
    parts: tuple[ChapterTag, ...] = ()
    """Files of an archive, in order, without gaps; empty if these are its chapters."""
    chapters: tuple[ChapterTag, ...] = ()
    """In order, without gaps, from the start of the file; empty for none."""

    @property
    def is_plain(self) -> bool:
        """True if there is nothing but a title."""
        return self == Tags(title=self.title)

    def named(self) -> dict[str, str]:
        """Metadata by FFmpeg's generic names, without what is unknown."""
        found = {
            "title": self.title,
            "artist": ", ".join(self.authors),
            "album": self.album or (self.title if self.authors or self.chapters else ""),
            "album_artist": ", ".join(self.authors),
            "track": self.track,
            "genre": "Audiobook" if self.authors or self.chapters else "",
            "grouping": self.series,
            "comment": NOTICE,
        }
        return {name: text for name, text in found.items() if text}

    def vorbis(self) -> list[tuple[str, str]]:
        """Vorbis comments."""
        found = [
            (name.upper().replace("_", "").replace("TRACK", "TRACKNUMBER"), text)
            for name, text in self.named().items()
        ]
        found += [("LANGUAGE", self.language)] if self.language else []
        return found + self.vorbis_chapters()

    def vorbis_chapters(self) -> list[tuple[str, str]]:
        """Chapters by the extension of Vorbis comments that players read."""
        found: list[tuple[str, str]] = []
        for number, chapter in enumerate(self.chapters, 1):
            found += [
                (f"CHAPTER{number:03d}", clock_time(round(chapter.start_s * 1000), ".")),
                (f"CHAPTER{number:03d}NAME", chapter.title),
            ]
        return found


def picture_block(cover: bytes, media_type: str) -> bytes:
    """The body of FLAC's block PICTURE (RFC 9639, section 8.8), a front cover of unstated size."""
    mime = media_type.encode()
    return b"".join(
        (
            struct.pack(">II", 3, len(mime)),
            mime,
            struct.pack(">I", 0),
            struct.pack(">IIII", 0, 0, 0, 0),
            struct.pack(">I", len(cover)),
            cover,
        )
    )


def picture_comment(cover: bytes, media_type: str) -> str:
    """The value of the Vorbis comment METADATA_BLOCK_PICTURE, in which Ogg files have their cover."""
    return base64.b64encode(picture_block(cover, media_type)).decode()


def comment_block(vendor: str, comments: Sequence[tuple[str, str]]) -> bytes:
    """The body of FLAC's block VORBIS_COMMENT (RFC 9639, section 8.6)."""
    texts = [vendor, *(f"{name}={text}" for name, text in comments)]
    encoded = [struct.pack("<I", len(text.encode())) + text.encode() for text in texts]
    return encoded[0] + struct.pack("<I", len(comments)) + b"".join(encoded[1:])


def language_code(tag: str) -> str:
    """Code of three letters (ISO 639-2) of a language tag, as containers have it.

    >>> language_code("en-GB"), language_code("de"), language_code("tlh")
    ('eng', 'deu', 'tlh')
    """
    first = tag.lower().partition("-")[0]
    return _LANGUAGES.get(first, first if len(first) == 3 else "und")


_LANGUAGES = dict(
    pair.split(":")
    for pair in words_of("""
        en:eng de:deu fr:fra es:spa it:ita pt:por nl:nld sv:swe da:dan no:nor nb:nob fi:fin pl:pol cs:ces
        ru:rus uk:ukr zh:zho ja:jpn ko:kor ar:ara hi:hin tr:tur el:ell he:heb
    """)
)
