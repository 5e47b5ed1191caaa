"""A read-along book: its source, with marked sentences, media overlays and the audio."""

import re
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.books.archive import Archive
from pipeline.books.formats.contents import Entry
from pipeline.books.formats.epub import Package
from pipeline.books.limits import PAGE_BYTES_MAX, Budget
from pipeline.books.read_along.marks import MarkedPage, read_marked_page
from pipeline.books.read_along.overlay import Clip, clips_of, ends_of, smil
from pipeline.books.read_along.package import (
    ACTIVE_CLASS,
    SMIL,
    NewFile,
    Overlay,
    navigation_document,
    package_document,
    reference,
)
from pipeline.books.read_along.timing import SpokenWord
from pipeline.books.xml_tree import attribute, descendants, text_of

_FOLDER = "read-along"
_COPIED_BYTES_MAX = 1 << 30
_MEMBER_BYTES_MAX = 256 << 20
_COPYING_MAX_S = 600.0
_STYLE = f".{ACTIVE_CLASS} {{ background-color: #ffe9a8; color: #000; }}\n"
_DOCUMENT_TYPE = re.compile(r"<!DOCTYPE[^>]*>", re.IGNORECASE)
_ENCODING = re.compile(r"""(^\s*<\?xml[^>]*?encoding\s*=\s*["'])[^"']*(["'])""")
_HEAD_END = re.compile(r"</head\s*>", re.IGNORECASE)
_COMPRESSED = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".mp3", ".m4a", ".mp4", ".woff", ".woff2")


def write_read_along(
    out: Path,
    source: bytes,
    audio: Path,
    spoken: Mapping[int, Sequence[SpokenWord]],
    *,
    duration_s: float,
    modified: str,
) -> None:
    """Write an EPUB 3 with media overlays.

    Args:
        source: the EPUB, 2 or 3, which was read before.
        audio: MPEG-4 with AAC.
        spoken: words by the line of the book, that is the number of its block, from 1.
        modified: time in UTC, `2026-01-01T00:00:00Z`.

    Raises:
        ScriptError: the source is damaged.
    """
    archive = Archive(source, Budget(_COPIED_BYTES_MAX, _COPYING_MAX_S), "the EPUB")
    book = _Book(archive, spoken, duration_s)
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr(_member("mimetype"), "application/epub+zip", zipfile.ZIP_STORED)
        for name, text in book.files(modified).items():
            target.writestr(_member(name), text, zipfile.ZIP_DEFLATED)
        for name in archive.names:
            if name not in book.replaced and not name.endswith("/"):
                packed = zipfile.ZIP_STORED if name.lower().endswith(_COMPRESSED) else zipfile.ZIP_DEFLATED
                target.writestr(_member(name), archive.read(name, _MEMBER_BYTES_MAX), packed)
        with (
            audio.open("rb") as sound,
            target.open(_member(book.audio.name), "w", force_zip64=True) as member,
        ):
            shutil.copyfileobj(sound, member, 1 << 20)


def _member(name: str) -> zipfile.ZipInfo:
    """A member without the time at which it was written."""
    member = zipfile.ZipInfo(name)
    member.external_attr = 0o644 << 16
    return member


class _Book:
    """The book's own pages, and the files that are added."""

    def __init__(
        self, archive: Archive, spoken: Mapping[int, Sequence[SpokenWord]], duration_s: float
    ) -> None:
        self.package = Package(archive, archive.budget)
        self.folder = self._free_folder(archive)
        self.audio = NewFile("voxchord-audio", f"{self.folder}audio.m4a", "audio/mp4")
        self.style = NewFile("voxchord-style", f"{self.folder}read-along.css", "text/css")
        self.navigation = NewFile("voxchord-nav", f"{self.folder}nav.xhtml", "application/xhtml+xml", "nav")
        self.is_old = attribute(self.package.root, "version").startswith("2")
        self.has_navigation = any("nav" in item.properties for item in self.package.items.values())
        self.pages: dict[str, tuple[MarkedPage, list[Clip]]] = {}
        self._duration_s = duration_s
        self.replaced = {"mimetype", self.package.name, "META-INF/signatures.xml"}
        self.replaced |= {item.name for item in self.package.items.values() if item.media_type == SMIL}
        self._read(archive, spoken)
        self.replaced |= self.pages.keys()

    def _free_folder(self, archive: Archive) -> str:
        """Folder of the added files, which the source has not."""
        base = self.package.name.rpartition("/")[0]
        for number in range(1, len(archive.names) + 2):
            folder = f"{base}/{_FOLDER}-{number}/" if base else f"{_FOLDER}-{number}/"
            if not any(name.startswith(folder) for name in archive.names):
                break
        return folder

    def _read(self, archive: Archive, spoken: Mapping[int, Sequence[SpokenWord]]) -> None:
        """Mark the pages; old pages get EPUB 3's document type even if nothing in them is spoken."""
        line = number = 1
        for item, _ in self.package.spine():
            if item.name not in archive.names:
                continue
            page = read_marked_page(archive.read(item.name, PAGE_BYTES_MAX), item.name)
            clips = clips_of(page, spoken, first_line=line, first_name=number)
            line, number = line + len(page.blocks), number + len(clips)
            if item.media_type == "application/xhtml+xml" and (clips or self.is_old):
                self.pages[item.name] = page, clips

    def files(self, modified: str) -> dict[str, str]:
        """Texts of all files that are new or changed, by name."""
        overlays: list[Overlay] = []
        files = {name: self._marked(name) for name in self.pages}
        voiced = [(name, clips) for name, (_, clips) in self.pages.items() if clips]
        starts = [clips[0].start_s for _, clips in voiced]
        for number, (name, clips) in enumerate(voiced, 1):
            ends_s = ends_of(clips, [*starts, self._duration_s][number])
            file = NewFile(f"voxchord-overlay{number}", f"{self.folder}page{number:04d}.smil", SMIL)
            page, audio = reference(file.name, name), reference(file.name, self.audio.name)
            files[file.name] = smil(page, audio, clips, ends_s)
            lasting_s = sum(end_s - clip.start_s for clip, end_s in zip(clips, ends_s, strict=True))
            overlays.append(Overlay(name, file, lasting_s))
        added = [self.audio, self.style]
        if not self.has_navigation:
            files[self.navigation.name] = self._navigation()
            added.append(self.navigation)
        files[self.style.name] = _STYLE
        whole_s = sum(round(each.duration_s, 3) for each in overlays)
        files[self.package.name] = package_document(
            self.package, added, overlays, duration_s=whole_s, modified=modified
        )
        return files

    def _marked(self, name: str) -> str:
        page, clips = self.pages[name]
        text = page.marked([clip.part for clip in clips], [clip.name for clip in clips])
        text = _ENCODING.sub(r"\1utf-8\2", text, count=1)
        if self.is_old:
            text = _DOCUMENT_TYPE.sub("<!DOCTYPE html>", text, count=1)
        if clips:
            style = reference(name, self.style.name)
            link = f'<link rel="stylesheet" type="text/css" href="{style}"/></head>'
            text = _HEAD_END.sub(link, text, count=1)
        return text

    def _navigation(self) -> str:
        pages = [item.name for item, _ in self.package.spine()]
        entries = self.package.contents() or [Entry(name, name, "") for name in pages[:1]]
        language = next((text_of(each) for each in descendants(self.package.root, "language")), "")
        return navigation_document(self.navigation.name, entries, language)
