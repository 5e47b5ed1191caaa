"""DOCX: Office Open XML text documents (ECMA-376, part 1, section 17)."""

import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from pipeline.books.archive import Archive
from pipeline.books.document import (
    CAPTION,
    CODE,
    CONTENTS,
    FOOTNOTE,
    FOOTNOTE_MARK,
    HEADING,
    HIDDEN,
    PAGE_NUMBER,
    PICTURE,
    TABLE,
    TEXT,
    Block,
    Document,
    LeftOut,
)
from pipeline.books.headings import divided, with_bold_headings
from pipeline.books.limits import PAGE_BYTES_MAX, XML_BYTES_MAX, Budget
from pipeline.books.xml_tree import attribute, children, descendants, local, parse, text_of
from pipeline.errors import ScriptError

BODY, STYLES, CORE = "word/document.xml", "word/styles.xml", "docProps/core.xml"
_NOTES = {"footnoteReference": "word/footnotes.xml", "endnoteReference": "word/endnotes.xml"}
_SKIPPED = frozenset({"del", "instrText", "drawing", "pict", "AlternateContent", "object", "moveFrom"})


def read_docx(data: bytes, budget: Budget) -> Document:
    """Read a DOCX.

    Raises:
        ScriptError: it is damaged, encrypted, or beyond the limits.
    """
    archive = Archive(data, budget, "the DOCX")
    return _Reader(archive).document()


class _Reader:
    def __init__(self, archive: Archive) -> None:
        self.archive = archive
        self.styles = self._style_names()
        self.notes = {
            reference: {
                attribute(note, "id"): text_of(note) for note in self._tree(name) if attribute(note, "id")
            }
            for reference, name in _NOTES.items()
        }
        self.blocks: list[Block] = []
        self.left_out: list[LeftOut] = []
        self.bold: set[int] = set()
        """Blocks that are bold as a whole."""
        self.title = ""
        self.paragraphs = 0

    def document(self) -> Document:
        body = parse(self.archive.read(BODY, PAGE_BYTES_MAX), BODY)
        for each in children(body, "body"):
            self._read(each)
        if not self.blocks:
            raise ScriptError(1, "the DOCX has no text")
        notices: tuple[str, ...] = ()
        if all(block.kind != HEADING or block.level == 1 for block in self.blocks):
            self.blocks, without = with_bold_headings(self.blocks, self.bold), self.blocks
            if self.blocks != without:
                notices = ("the DOCX has no styles for headings; short bold paragraphs are headings",)
        core = list(self._tree(CORE))
        named = {local(each): text_of(each)[:500] for each in core}
        chapters, title = divided(self.blocks, self.left_out, self.title or named.get("title", ""))
        author = named.get("creator", "")
        return Document(
            form="docx",
            chapters=tuple(chapters),
            title=title,
            authors=(author,) if author else (),
            language=named.get("language", ""),
            notices=notices,
        )

    def _tree(self, name: str) -> Iterator[Element]:
        """Children of the root of a part; none if the part is missing."""
        if name in self.archive.names:
            yield from parse(self.archive.read(name, XML_BYTES_MAX), name)

    def _style_names(self) -> dict[str, str]:
        """English names of styles, which are the same in every language, by ID."""
        return {
            attribute(style, "styleId"): attribute(name, "val").lower()
            for style in self._tree(STYLES)
            for name in children(style, "name")
        }

    def _read(self, parent: Element) -> None:
        for element in parent:
            name = local(element)
            if name == "p":
                self._paragraph(element)
            elif name == "tbl":
                self._omit(TABLE, " ".join(text_of(each) for each in descendants(element, "p")))
            elif name == "sdt":
                gallery = next(
                    (attribute(each, "val") for each in descendants(element, "docPartGallery")), ""
                )
                if gallery.lower() == "table of contents":
                    self._omit(CONTENTS, text_of(element))
                else:
                    for content in children(element, "sdtContent"):
                        self._read(content)

    def _paragraph(self, paragraph: Element) -> None:
        self.paragraphs += 1
        style = self._style(paragraph)
        text = " ".join("".join(self._runs(paragraph)).split())
        if not text:
            return
        level = re.fullmatch(r"heading (\d)", style)
        place = f"paragraph {self.paragraphs}"
        if style == "title" and not self.title:
            self.title = text
            self.blocks.append(Block(HEADING, text, place, 1))
        elif level:
            self.blocks.append(Block(HEADING, text, place, int(level[1]) + 1))
        elif kind := _left_out(style):
            self._omit(kind, text)
        elif any(map(str.isalnum, text)):
            if _is_bold(paragraph):
                self.bold.add(len(self.blocks))
            self.blocks.append(Block(TEXT, text, place))

    def _style(self, paragraph: Element) -> str:
        styles = [style for each in children(paragraph, "pPr") for style in children(each, "pStyle")]
        found = [attribute(style, "val") for style in styles]
        return self.styles.get(found[0], found[0].lower()) if found else ""

    def _runs(self, parent: Element) -> Iterator[str]:
        """Texts of a paragraph; notes and pictures are counted."""
        for element in parent:
            name = local(element)
            if name == "t":
                yield element.text or ""
            elif name in ("tab", "br", "cr"):
                yield " "
            elif name == "noBreakHyphen":
                yield "-"
            elif name in _NOTES:
                self._omit(FOOTNOTE_MARK, "")
                self._omit(FOOTNOTE, self.notes[name].get(attribute(element, "id"), ""))
            elif name in ("drawing", "pict", "AlternateContent"):
                alternative = next((attribute(each, "descr") for each in descendants(element, "docPr")), "")
                self._omit(PICTURE, alternative)
            elif name == "r" and _is_hidden(element):
                self._omit(HIDDEN, text_of(element))
            elif name not in _SKIPPED:
                yield from self._runs(element)

    def _omit(self, kind: str, text: str) -> None:
        self.left_out.append(LeftOut(kind, " ".join(text.split()), len(self.blocks)))


def _is_hidden(run: Element) -> bool:
    return _has(run, "vanish")


def _is_bold(paragraph: Element) -> bool:
    """True if all words of a paragraph are bold."""
    runs = [run for run in descendants(paragraph, "r") if text_of(run).strip()]
    return bool(runs) and all(_has(run, "b") for run in runs)


def _has(run: Element, name: str) -> bool:
    """True if a run has a property that is on or off."""
    return any(
        attribute(each, "val") not in ("0", "false")
        for properties in children(run, "rPr")
        for each in children(properties, name)
    )


def _left_out(style: str) -> str:
    """Kind under which a paragraph of a style is left out; empty if it is read.

    >>> _left_out("caption"), _left_out("toc 2"), _left_out("normal")
    ('image caption', 'table of contents', '')
    """
    if style == "caption":
        return CAPTION
    if style in ("html preformatted", "macro text", "code", "source code"):
        return CODE
    if style in ("footnote text", "endnote text"):
        return FOOTNOTE
    if style.startswith(("toc ", "table of figures")):
        return CONTENTS
    return PAGE_NUMBER if style in ("header", "footer") else ""
