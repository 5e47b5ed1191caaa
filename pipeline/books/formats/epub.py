"""EPUB 2 and 3: the package, its reading order, its table of contents and its metadata.

Formats: EPUB 3.3 (https://www.w3.org/TR/epub-33/), and OPF and OPS 2.0.1 of EPUB 2.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from xml.etree.ElementTree import Element

from pipeline.books import covers
from pipeline.books.archive import Archive, resolve
from pipeline.books.document import HEADING, Block, Chapter, Cover, Document, LeftOut
from pipeline.books.formats import contents
from pipeline.books.formats.contents import Entry
from pipeline.books.formats.html_page import Page, read_page
from pipeline.books.limits import COVER_BYTES_MAX, PAGE_BYTES_MAX, XML_BYTES_MAX, Budget
from pipeline.books.matter import matter_of
from pipeline.books.xml_tree import attribute, children, descendants, parse, text_of
from pipeline.errors import ScriptError

CONTAINER, ENCRYPTION, RIGHTS = "META-INF/container.xml", "META-INF/encryption.xml", "META-INF/rights.xml"
PAGES_MAX = 5000
_FONT_ALGORITHMS = (
    "http://www.idpf.org/2008/embedding",
    "http://ns.adobe.com/pdf/enc#RC",
)
"""Obfuscation of fonts, which are not read."""
_PAGE_TYPES = ("application/xhtml+xml", "text/html", "application/x-dtbook+xml", "text/x-oeb1-document")
_DRM = (
    ("META-INF/sinf.xml", "Apple's FairPlay"),
    (RIGHTS, "Adobe's ADEPT"),
    ("META-INF/license.lcpl", "Readium LCP"),
)


@dataclass(frozen=True, slots=True)
class Item:
    """A file of the manifest."""

    name: str
    media_type: str
    properties: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Place:
    """The start of a chapter: a page of the reading order, and the number of blocks before it."""

    page: int
    block: int
    title: str


def read_epub(data: bytes, budget: Budget) -> Document:
    """Read an EPUB.

    Raises:
        ScriptError: it is damaged, protected, or beyond the limits.
    """
    archive = Archive(data, budget, "the EPUB")
    _refuse_protected(archive)
    return Package(archive, budget).document()


def _refuse_protected(archive: Archive) -> None:
    """Refuse content that is encrypted; obfuscated fonts are none."""
    if ENCRYPTION in archive.names:
        root = parse(archive.read(ENCRYPTION, XML_BYTES_MAX), ENCRYPTION)
        methods = [attribute(method, "Algorithm") for method in descendants(root, "EncryptionMethod")]
        if any(method not in _FONT_ALGORITHMS for method in methods):
            scheme = next((f" ({name})" for file, name in _DRM if file in archive.names), "")
            raise ScriptError(
                1,
                f"the EPUB is protected by DRM{scheme}: {ENCRYPTION} encrypts its content; "
                "only books without protection can be read",
            )
    elif RIGHTS in archive.names:
        raise ScriptError(
            1, f"the EPUB is protected by DRM: it has {RIGHTS}; only books without protection can be read"
        )


class Package:
    """The package document of an EPUB, with what it refers to."""

    def __init__(self, archive: Archive, budget: Budget) -> None:
        self.archive, self.budget = archive, budget
        container = parse(archive.read(CONTAINER, XML_BYTES_MAX), CONTAINER)
        roots = [attribute(each, "full-path") for each in descendants(container, "rootfile")]
        if not roots or not roots[0]:
            raise ScriptError(1, f"{CONTAINER} names no package document")
        self.name = roots[0]
        self.root = parse(archive.read(self.name, XML_BYTES_MAX), self.name)
        self.items = {
            attribute(item, "id"): Item(
                resolve(self.name, attribute(item, "href")),
                attribute(item, "media-type"),
                frozenset(attribute(item, "properties").split()),
            )
            for item in descendants(self.root, "item")
            if attribute(item, "href")
        }
        self.notices: list[str] = []

    def document(self) -> Document:
        pages = self._pages()
        chapters = self._chapters(pages)
        if not any(chapter.blocks for chapter in chapters):
            raise ScriptError(1, "the EPUB has no text; books of scanned pages cannot be read")
        series, position = self._series()
        return Document(
            form="epub",
            chapters=tuple(chapters),
            title=next(iter(self._metadata("title")), ""),
            authors=tuple(self._authors()),
            series=series,
            series_position=position,
            language=next(iter(self._metadata("language")), ""),
            cover=self._cover(),
            notices=tuple(self.notices),
        )

    # -- pages in reading order

    def _pages(self) -> list[Page]:
        pages: list[Page] = []
        for item, linear in self.spine():
            if len(pages) >= PAGES_MAX:
                raise ScriptError(1, f"the EPUB has more than {PAGES_MAX:,} pages")
            if item.name not in self.archive.names:
                self.notices.append(f"the page {item.name[:200]} is missing")
                continue
            page = read_page(self.archive.read(item.name, PAGE_BYTES_MAX), item.name, self.budget)
            if not linear:
                page.types.insert(0, (0, frozenset({"notes"})))
            if "nav" in item.properties:
                page.types.insert(0, (0, frozenset({"toc"})))
            pages.append(page)
        return pages

    def spine(self) -> Iterator[tuple[Item, bool]]:
        """Yield the pages in reading order, and whether each is part of the text itself."""
        seen = set()
        for reference in descendants(self.root, "itemref"):
            item = self.items.get(attribute(reference, "idref"))
            if item is not None and item.name not in seen and item.media_type in _PAGE_TYPES:
                seen.add(item.name)
                yield item, attribute(reference, "linear") != "no"

    # -- chapters

    def _chapters(self, pages: Sequence[Page]) -> list[Chapter]:
        places = self._places(pages)
        ends = [(place.page, place.block) for place in places[1:]] + [(len(pages), 0)]
        guide = self._guide()
        chapters: list[Chapter] = []
        for place, end in zip(places, ends, strict=True):
            chapter, types = _between(pages, place, end)
            types |= guide.get(pages[place.page].name, frozenset()) if place.block == 0 else frozenset()
            started = any(not each.matter for each in chapters)
            matter = matter_of(chapter.title, types, started=started)
            if chapter.blocks or chapter.left_out:
                chapters.append(replace(chapter, matter=matter))
        return _joined(chapters)

    def _places(self, pages: Sequence[Page]) -> list[_Place]:
        """Starts of chapters by the table of contents; every page is one if there is none."""
        numbers = {page.name: number for number, page in enumerate(pages)}
        found: dict[tuple[int, int], str] = {}
        for entry in contents.chapter_starts(self.contents()):
            number = numbers.get(entry.file)
            if number is None:
                continue
            block = pages[number].anchors.get(entry.fragment, 0)
            found.setdefault((number, block), entry.title)
        if not found:
            self.notices.append("the EPUB has no table of contents; every page with a heading is a chapter")
            found = {(number, 0): page.heading for number, page in enumerate(pages) if page.heading}
        first = min(found, default=(len(pages), 0))
        before = {(number, 0): pages[number].heading for number in range(min(first[0] + 1, len(pages)))}
        places = {place: title for place, title in before.items() if place < first} | found
        return [_Place(page, block, title) for (page, block), title in sorted(places.items())]

    def contents(self) -> list[Entry]:
        """Entries of the table of contents; none if it has none."""
        entries: list[Entry] = []
        navigation = next((item for item in self.items.values() if "nav" in item.properties), None)
        if navigation is not None and navigation.name in self.archive.names:
            root = parse(self.archive.read(navigation.name, XML_BYTES_MAX), navigation.name)
            entries = contents.from_navigation(root, navigation.name)
        if not entries:
            spine = next(iter(descendants(self.root, "spine")), None)
            item = self.items.get(attribute(spine, "toc")) if spine is not None else None
            item = item or next(
                (each for each in self.items.values() if each.media_type == "application/x-dtbncx+xml"), None
            )
            if item is not None and item.name in self.archive.names:
                root = parse(self.archive.read(item.name, XML_BYTES_MAX), item.name)
                entries = contents.from_ncx(root, item.name)
        return entries

    def _guide(self) -> dict[str, frozenset[str]]:
        """Types of EPUB 2's guide, by file."""
        return {
            resolve(self.name, attribute(each, "href")): frozenset({attribute(each, "type").lower()})
            for each in descendants(self.root, "reference")
            if attribute(each, "href")
        }

    # -- metadata

    def _metadata(self, name: str) -> list[str]:
        parents = children(self.root, "metadata")
        found = [text_of(each) for parent in parents for each in descendants(parent, name)]
        return [text[:500] for text in found if text]

    def _authors(self) -> list[str]:
        parents = children(self.root, "metadata")
        creators = [each for parent in parents for each in descendants(parent, "creator")]
        roles = {
            attribute(meta, "refines").removeprefix("#"): text_of(meta)
            for meta in descendants(self.root, "meta")
            if attribute(meta, "property") == "role"
        }
        found = [
            (attribute(each, "role") or roles.get(attribute(each, "id"), "aut"), text_of(each)[:500])
            for each in creators
        ]
        return [name for role, name in found if role == "aut" and name] or [name for _, name in found if name]

    def _series(self) -> tuple[str, str]:
        metas = descendants(self.root, "meta")
        named = {attribute(meta, "name"): attribute(meta, "content") for meta in metas}
        if named.get("calibre:series"):
            position = named.get("calibre:series_index", "").removesuffix(".0")
            return named["calibre:series"][:500], position[:20]
        for meta in metas:
            if attribute(meta, "property") == "belongs-to-collection":
                return text_of(meta)[:500], _refined(metas, attribute(meta, "id"), "group-position")[:20]
        return "", ""

    def _cover(self) -> Cover | None:
        item = next((each for each in self.items.values() if "cover-image" in each.properties), None)
        if item is None:
            names = [
                attribute(meta, "content")
                for meta in descendants(self.root, "meta")
                if attribute(meta, "name") == "cover"
            ]
            item = next((self.items[name] for name in names if name in self.items), None)
        if item is None or item.name not in self.archive.names:
            return None
        try:
            return covers.checked(self.archive.read(item.name, COVER_BYTES_MAX))
        except ScriptError as error:
            self.notices.append(f"the cover is left out: {error.reason}")
            return None


def _refined(metas: Sequence[Element], own: str, name: str) -> str:
    """Value of a property that refines an element of EPUB 3's metadata; empty if there is none."""
    return next(
        (
            text_of(meta)
            for meta in metas
            if attribute(meta, "property") == name and attribute(meta, "refines") == f"#{own}"
        ),
        "",
    )


def _between(pages: Sequence[Page], place: _Place, end: tuple[int, int]) -> tuple[Chapter, frozenset[str]]:
    """The chapter from a place up to another, and the semantic types at its start."""
    blocks: list[Block] = []
    left_out: list[LeftOut] = []
    types: frozenset[str] = frozenset()
    for number in range(place.page, min(end[0] + 1, len(pages))):
        page = pages[number]
        first = place.block if number == place.page else 0
        last = end[1] if number == end[0] else len(page.blocks)
        for part in page.left_out:
            if first <= part.block and (part.block < last or (part.block == last and number < end[0])):
                left_out.append(replace(part, block=len(blocks) + part.block - first))
        if number == place.page:
            types = frozenset().union(*(found for at, found in page.types if at == first))
        blocks += page.blocks[first:last]
    title = place.title or next((block.text for block in blocks if block.kind == HEADING), "")
    return Chapter(re.sub(r"\s+", " ", title)[:300], tuple(blocks), "", tuple(left_out)), types


def _joined(chapters: Sequence[Chapter]) -> list[Chapter]:
    """Chapters with the pictures of pages without text, such as a cover, counted with their neighbours."""
    joined: list[Chapter] = []
    pending: tuple[LeftOut, ...] = ()
    for chapter in chapters:
        if not chapter.blocks:
            pending += tuple(replace(part, block=0) for part in chapter.left_out)
            continue
        joined.append(replace(chapter, left_out=pending + chapter.left_out))
        pending = ()
    if pending and joined:
        last = joined[-1]
        parts = tuple(replace(part, block=len(last.blocks)) for part in pending)
        joined[-1] = replace(last, left_out=last.left_out + parts)
    return joined
