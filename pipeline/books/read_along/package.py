"""The package document of a read-along book, made from that of its source, which may be EPUB 2.

Its own metadata, files and reading order stay. What EPUB 3 has no place for is left out or turned into its
form: attributes of EPUB 2's metadata, the guide, and media overlays of its own.
"""

import html
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote
from xml.etree.ElementTree import Element

from pipeline.books.archive import resolve
from pipeline.books.formats.contents import Entry
from pipeline.books.formats.epub import Package
from pipeline.books.read_along.overlay import clock, quoted
from pipeline.books.xml_tree import attribute, children, descendants, local, text_of

ACTIVE_CLASS = "-epub-media-overlay-active"
SMIL = "application/smil+xml"
_DUBLIN_CORE = "{http://purl.org/dc/elements/1.1/}"
_XML = "{http://www.w3.org/XML/1998/namespace}"
_SINGLE = ("media:duration", "media:active-class", "media:playback-active-class", "dcterms:modified")
"""Properties that are written anew."""


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file that is added to the book."""

    item: str
    """ID in the manifest."""
    name: str
    """Member of the archive."""
    media_type: str
    properties: str = ""


@dataclass(frozen=True, slots=True)
class Overlay:
    """The media overlay of a page."""

    page: str
    """Member of the archive."""
    file: NewFile
    duration_s: float


def reference(base: str, name: str) -> str:
    """Reference from a member of the archive to another one.

    >>> reference("OEBPS/text/one.xhtml", "OEBPS/a b.css")
    '../a%20b.css'
    """
    return quote(posixpath.relpath(name, posixpath.dirname(base) or "."))


def package_document(
    package: Package,
    added: Sequence[NewFile],
    overlays: Sequence[Overlay],
    *,
    duration_s: float,
    modified: str,
) -> str:
    """The package document.

    Args:
        added: files beside the overlays.
        duration_s: of all overlays.
        modified: time in UTC, `2026-01-01T00:00:00Z`.
    """
    root = package.root
    names = ("unique-identifier", "prefix", "dir", "id")
    given = "".join(_given(name, attribute(root, name)) for name in names)
    lines = [
        *_metadata(package),
        f'<meta property="dcterms:modified">{modified}</meta>',
        f'<meta property="media:active-class">{ACTIVE_CLASS}</meta>',
        f'<meta property="media:duration">{clock(duration_s)}</meta>',
        *(
            f'<meta property="media:duration" refines="#{each.file.item}">{clock(each.duration_s)}</meta>'
            for each in overlays
        ),
    ]
    spine = next(iter(descendants(root, "spine")), None)
    toc = attribute(spine, "toc") if spine is not None else ""
    direction = attribute(spine, "page-progression-direction") if spine is not None else ""
    return "\n".join(
        [
            '<?xml version="1.0" encoding="utf-8"?>',
            f'<package xmlns="http://www.idpf.org/2007/opf" version="3.0"{given}>',
            '<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">',
            *lines,
            "</metadata>",
            "<manifest>",
            *_items(package, {each.page: each.file.item for each in overlays}),
            *(_item(package, each) for each in (*added, *(each.file for each in overlays))),
            "</manifest>",
            f"<spine{_given('toc', toc)}{_given('page-progression-direction', direction)}>",
            *_references(root),
            "</spine>",
            "</package>",
            "",
        ]
    )


def _text(text: str) -> str:
    return html.escape(text, quote=False)


def _given(name: str, value: str) -> str:
    return f" {name}={quoted(value)}" if value else ""


def _metadata(package: Package) -> Iterator[str]:
    for parent in children(package.root, "metadata"):
        for number, element in enumerate(parent.iter()):
            if isinstance(element.tag, str) and element.tag.startswith(_DUBLIN_CORE) and text_of(element):
                yield from _dublin_core(element, number)
            elif local(element) == "meta":
                yield from _meta(element)
            elif local(element) == "link":
                names = ("rel", "href", "refines", "media-type", "hreflang", "properties", "id")
                yield f"<link{''.join(_given(name, attribute(element, name)) for name in names)}/>"


def _dublin_core(element: Element, number: int) -> Iterator[str]:
    """An element of Dublin Core; the role of EPUB 2's creators becomes a property."""
    name, role = local(element), element.get("{http://www.idpf.org/2007/opf}role", "")
    own = element.get("id") or (f"voxchord-dc{number}" if role else "")
    language = _given("xml:lang", element.get(f"{_XML}lang", ""))
    if name == "date" and element.get("{http://www.idpf.org/2007/opf}event", "publication") != "publication":
        return  # EPUB 3 has one date
    given = f"{_given('id', own)}{language}{_given('dir', element.get('dir', ''))}"
    yield f"<dc:{name}{given}>{_text(text_of(element))}</dc:{name}>"
    if role:
        yield f'<meta refines="#{own}" property="role" scheme="marc:relators">{_text(role)}</meta>'


def _meta(element: Element) -> Iterator[str]:
    if attribute(element, "name"):
        content = quoted(attribute(element, "content"))
        yield f"<meta{_given('name', attribute(element, 'name'))} content={content}/>"
    elif attribute(element, "property") not in ("", *_SINGLE):
        names = ("property", "refines", "id", "scheme", "dir")
        language = _given("xml:lang", element.get(f"{_XML}lang", ""))
        given = "".join(_given(name, attribute(element, name)) for name in names)
        yield f"<meta{given}{language}>{_text(text_of(element))}</meta>"


def _items(package: Package, overlays: Mapping[str, str]) -> Iterator[str]:
    cover = next(
        (
            attribute(meta, "content")
            for meta in descendants(package.root, "meta")
            if attribute(meta, "name") == "cover"
        ),
        "",
    )
    for element in descendants(package.root, "item"):
        own, href = attribute(element, "id"), attribute(element, "href")
        kind, properties = attribute(element, "media-type"), attribute(element, "properties").split()
        if kind == SMIL or not href:
            continue
        name = resolve(package.name, href)
        if own == cover and "cover-image" not in properties and kind.startswith("image/"):
            properties.append("cover-image")
        further = {
            "properties": " ".join(properties),
            "fallback": attribute(element, "fallback"),
            "media-overlay": overlays.get(name, ""),
        }
        given = "".join(_given(each, value) for each, value in further.items())
        yield f"<item id={quoted(own)} href={quoted(href)} media-type={quoted(kind)}{given}/>"


def _item(package: Package, file: NewFile) -> str:
    href = quoted(reference(package.name, file.name))
    return (
        f"<item id={quoted(file.item)} href={href} media-type={quoted(file.media_type)}"
        f"{_given('properties', file.properties)}/>"
    )


def _references(root: Element) -> Iterator[str]:
    for element in descendants(root, "itemref"):
        names = ("idref", "linear", "properties", "id")
        yield f"<itemref{''.join(_given(name, attribute(element, name)) for name in names)}/>"


def navigation_document(name: str, entries: Sequence[Entry], language: str) -> str:
    """A navigation document for a book that has an NCX alone.

    Args:
        name: its member, which references are relative to.
    """

    def listed(below: Sequence[Entry]) -> str:
        items = "".join(
            f"<li><a href={quoted(_place(name, entry))}>{_text(entry.title or 'Chapter')}</a>"
            f"{listed(entry.children) if entry.children else ''}</li>\n"
            for entry in below
        )
        return f"<ol>\n{items}</ol>"

    given = f" lang={quoted(language)} xml:lang={quoted(language)}" if language else ""
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE html>\n'
        f'<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops"{given}>\n'
        "<head><title>Contents</title></head>\n"
        f'<body><nav epub:type="toc">{listed(entries)}</nav></body>\n</html>\n'
    )


def _place(base: str, entry: Entry) -> str:
    return reference(base, entry.file) + (f"#{quote(entry.fragment)}" if entry.fragment else "")
