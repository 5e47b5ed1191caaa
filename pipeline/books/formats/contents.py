"""Tables of contents: EPUB 3's navigation document and EPUB 2's NCX."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from pipeline.books.archive import resolve
from pipeline.books.xml_tree import attribute, children, descendants, local, text_of

ENTRIES_MAX = 5000


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of a table of contents."""

    title: str
    file: str
    """Member of the archive."""
    fragment: str
    children: tuple["Entry", ...] = ()


def from_navigation(root: Element, name: str) -> list[Entry]:
    """Entries of the navigation document's table of contents.

    Args:
        name: the document's member, which references are relative to.
    """
    for nav in descendants(root, "nav"):
        if "toc" in attribute(nav, "type").split() or attribute(nav, "role") == "doc-toc":
            return _listed(nav, name)
    return []


def _listed(parent: Element, name: str) -> list[Entry]:
    entries = []
    for item in (item for each in children(parent, "ol") for item in children(each, "li")):
        label = next((child for child in item if local(child) in ("a", "span")), None)
        below = tuple(_listed(item, name))
        title = text_of(label) if label is not None else ""
        reference = attribute(label, "href") if label is not None else ""
        entries += _entry(title, reference, name, below)
    return entries


def from_ncx(root: Element, name: str) -> list[Entry]:
    """Entries of an NCX."""
    return [entry for each in descendants(root, "navMap")[:1] for entry in _points(each, name)]


def _points(parent: Element, name: str) -> list[Entry]:
    entries = []
    for point in children(parent, "navPoint"):
        label = next((text_of(each) for each in children(point, "navLabel")), "")
        source = next((attribute(each, "src") for each in children(point, "content")), "")
        entries += _entry(label, source, name, tuple(_points(point, name)))
    return entries


def _entry(title: str, reference: str, name: str, below: tuple[Entry, ...]) -> list[Entry]:
    if not reference:
        return list(below)  # a label without a place: its entries stand for themselves
    return [Entry(title, resolve(name, reference), reference.partition("#")[2], below)]


def chapter_starts(entries: Sequence[Entry]) -> Iterator[Entry]:
    """Yield the entries that begin chapters.

    They are those of the first level. An entry with entries in other files is a part: its entries are the
    chapters, and its own page begins the first of them. Entries within the same page are sections.

    >>> part = Entry("Part I", "p.xhtml", "", (Entry("One", "1.xhtml", ""), Entry("Two", "2.xhtml", "")))
    >>> sections = Entry("Three", "3.xhtml", "", (Entry("Scene 1", "3.xhtml", "s1"),))
    >>> [(entry.title, entry.file) for entry in chapter_starts([part, sections])]
    [('Part I: One', 'p.xhtml'), ('Two', '2.xhtml'), ('Three', '3.xhtml')]
    """
    for entry in entries:
        below = [child for child in entry.children if child.file != entry.file]
        if not below:
            yield entry
            continue
        first, *others = chapter_starts(below)
        yield Entry(
            f"{entry.title}: {first.title}" if entry.title else first.title, entry.file, entry.fragment
        )
        yield from others
