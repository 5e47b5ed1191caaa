"""One file per chapter or part, numbered and tagged, in a ZIP archive with a playlist.

Each file is encoded to a temporary file beside the archive, and moved into it when it is complete, so only
one file is on the disk twice. Nothing is compressed again. Equal files give equal archives.
"""

import re
import shutil
import unicodedata
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from pipeline.arrays import Pcm
from pipeline.stitching.marks.parts import chapters_within
from pipeline.stitching.tags import ChapterTag, Tags

PLAYLIST = "playlist.m3u8"
_TITLE_MAX = 80
_TITLE_BYTES_MAX = 240
"""Most bytes of a title in UTF-8: file systems have 255 for a name with its number and ending."""
_COVERS = {"image/png": "cover.png", "image/jpeg": "cover.jpg"}


class AudioWriter(Protocol):
    """One file being written."""

    def write(self, pcm: Pcm) -> None: ...

    def close(self) -> None: ...


Encoder = Callable[[Path, int, int, Tags], AudioWriter]
"""Opens a file of exactly that many samples: path, sample rate in Hz, samples, tags."""


class ChapterFiles:
    """Archive of one file per part, or per chapter; one file alone if there are neither.

    Args:
        encoder: of the files.
        ending: ending of the files' names.
    """

    def __init__(
        self,
        path: Path,
        sample_rate_hz: int,
        samples: int,
        tags: Tags,
        *,
        encoder: Encoder,
        ending: str,
    ) -> None:
        self._part = path.with_name(f"{path.name}.chapter")
        self._rate, self._tags, self._encoder, self._ending = sample_rate_hz, tags, encoder, ending
        whole = ChapterTag(tags.title or "Audio", 0.0, samples / sample_rate_hz)
        self._chapters = tags.parts or tags.chapters or (whole,)
        self._ends = file_ends(tags, sample_rate_hz, samples)
        self._zip = zipfile.ZipFile(path, "w", zipfile.ZIP_STORED)
        self._number = self._position = 0
        self._file: AudioWriter | None = None

    def write(self, pcm: Pcm) -> None:
        while len(pcm):
            self._file = self._file or self._open()
            room = self._ends[self._number] - self._position
            part, pcm = pcm[:room], pcm[room:]
            self._file.write(part)
            self._position += len(part)
            if self._position >= self._ends[self._number]:
                self._end(self._file)

    def close(self) -> None:
        if self._file is not None:
            self._end(self._file)
        names = [self._name(number) for number in range(self._number)]
        lines = ["#EXTM3U"]
        for name, chapter in zip(names, self._chapters, strict=False):
            length_s = round(chapter.end_s - chapter.start_s)
            lines += [f"#EXTINF:{length_s},{' '.join(chapter.title.split())}", name]
        self._zip.writestr(_member(PLAYLIST), "\n".join(lines) + "\n")
        if self._tags.cover:
            self._zip.writestr(_member(_COVERS[self._tags.cover_type]), self._tags.cover)
        self._zip.close()
        self._part.unlink(missing_ok=True)

    def _open(self) -> AudioWriter:
        """Begin the file of the next chapter."""
        chapter = self._chapters[self._number]
        own = replace(
            self._tags,
            title=chapter.title,
            album=self._tags.title,
            track=f"{self._number + 1}/{len(self._chapters)}",
            parts=(),
            chapters=chapters_within(chapter, self._tags.chapters) if self._tags.parts else (),
        )
        return self._encoder(self._part, self._rate, self._ends[self._number] - self._position, own)

    def _end(self, file: AudioWriter) -> None:
        """Complete the chapter's file and put it into the archive."""
        file.close()
        self._file = None
        member = _member(self._name(self._number))
        with self._part.open("rb") as source, self._zip.open(member, "w", force_zip64=True) as target:
            shutil.copyfileobj(source, target, 1 << 20)
        self._part.unlink()
        self._number += 1

    def _name(self, number: int) -> str:
        digits = max(2, len(str(len(self._chapters))))
        return f"{number + 1:0{digits}d} {file_name(self._chapters[number].title)}.{self._ending}"


def file_ends(tags: Tags, sample_rate_hz: int, samples: int) -> list[int]:
    """Samples after the last one of each file."""
    files = tags.parts or tags.chapters
    return [round(file.end_s * sample_rate_hz) for file in files[:-1]] + [samples]


def _member(name: str) -> zipfile.ZipInfo:
    """A member without the time at which it was written."""
    member = zipfile.ZipInfo(name)
    member.external_attr = 0o644 << 16
    return member


def file_name(title: str) -> str:
    """A title as part of a file's name on every system.

    >>> file_name("Who? Part 1/2: <The End>..."), file_name("../..")
    ('Who Part 1 2 The End', 'chapter')
    """
    plain = "".join(" " if unicodedata.category(letter)[0] == "C" else letter for letter in title)
    words = re.sub(r'[<>:"/\\|?*]', " ", plain).split()
    short = " ".join(words)[:_TITLE_MAX].encode()[:_TITLE_BYTES_MAX].decode(errors="ignore")
    return short.strip(" .") or "chapter"
