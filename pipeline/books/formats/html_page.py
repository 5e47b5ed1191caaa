"""XHTML and HTML pages, read as blocks in one pass without a tree.

Browsers' rules for broken pages are approximated: no page is refused for its markup. Nothing is fetched, no
entity beyond HTML's own characters is expanded, and nesting costs no memory.
"""

import codecs
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

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
    REST,
    TABLE,
    TEXT,
    Block,
    LeftOut,
)
from pipeline.books.limits import PAGE_BYTES_MAX, Budget
from pipeline.errors import ScriptError
from pipeline.script.vocabulary import words_of

_CHUNK = 1 << 16
_OPEN_MAX = 1000
"""Open elements that are tracked; deeper ones are read as if their tags were missing."""
_SEARCHED_MAX = 50
"""Open elements among which the one that an end tag closes is searched."""
_NONE: dict[str, str] = {}
_NO_TYPES: frozenset[str] = frozenset()
_HEADINGS = words_of("h1 h2 h3 h4 h5 h6")
_VOID = words_of("""
    area base br col embed hr img input link meta param source track wbr image
""")
_BLOCKS = words_of("""
    address article aside blockquote body caption center dd details dialog div dl dt fieldset figcaption
    figure footer form h1 h2 h3 h4 h5 h6 header hgroup html legend li main menu nav ol p pre section
    summary table tbody td tfoot th thead title tr ul
""")
_UNSEEN = words_of("""
    script style template noscript
""")
_LEFT_OUT_TAGS = {
    "table": TABLE,
    "pre": CODE,
    "figcaption": CAPTION,
    "caption": CAPTION,
    "math": "formula",
    "svg": PICTURE,
    "rt": "ruby annotation",
    "rp": "ruby annotation",
    "nav": CONTENTS,
    "form": "form",
    "select": "form",
    "button": "form",
}
_LEFT_OUT_TYPES = {
    **dict.fromkeys(("footnote", "footnotes", "endnote", "endnotes", "rearnote", "rearnotes"), FOOTNOTE),
    **dict.fromkeys(("doc-footnote", "doc-endnote", "doc-endnotes"), FOOTNOTE),
    **dict.fromkeys(("pagebreak", "doc-pagebreak"), PAGE_NUMBER),
}
_NOTE_MARKS = {"noteref", "doc-noteref", "annoref", "backlink", "doc-backlink"}
_LEFT_OUT_CLASSES = (
    (re.compile(r"(?:^|[\s_-])(?:foot|end|rear)notes?(?:$|[\s_-])", re.I), FOOTNOTE),
    (re.compile(r"(?:^|[\s_-])(?:figcaption|caption|captiontext)(?:$|[\s_-])", re.I), CAPTION),
    (re.compile(r"(?:^|[\s_-])page[_-]?(?:num(?:ber)?|break)s?(?:$|[\s_-])", re.I), PAGE_NUMBER),
)
_NOTE_TEXT = re.compile(r"[\[({]?\s*(?:\d{1,4}[a-z]?|[*†‡§¶]{1,4}|[ivxlc]{1,6}|[a-z])\s*[\])}]?[.:]?", re.I)
_SUPERSCRIPT = str.maketrans("0123456789+-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻")
_PLAIN = {raised: plain for plain, raised in _SUPERSCRIPT.items()}
_DECLARED = re.compile(
    rb"""(?:<\?xml[^>]{0,200}?encoding|<meta[^>]{0,200}?charset)\s*=\s*["']?\s*([\w.:-]+)""", re.I
)
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_DOCUMENT_TYPE = re.compile(r"<!DOCTYPE[^\[>]{0,500}\[.*?\]\s*>", re.I | re.S)


@dataclass(slots=True)
class Page:
    """A page's blocks in order."""

    name: str
    blocks: list[Block] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    anchors: dict[str, int] = field(default_factory=dict)
    """Number of blocks before each element with an ID."""
    types: list[tuple[int, frozenset[str]]] = field(default_factory=list)
    """Semantic types (`epub:type`, `role`) of elements, with the number of blocks before each."""
    title: str = ""
    language: str = ""
    author: str = ""

    @property
    def heading(self) -> str:
        """The first heading, empty if there is none."""
        return next((block.text for block in self.blocks if block.kind == HEADING), "")


def read_page(data: bytes, name: str, budget: Budget) -> Page:
    """Read a page.

    Raises:
        ScriptError: it is too large, declares entities or takes too long.
    """
    if len(data) > PAGE_BYTES_MAX:
        raise ScriptError(1, f"{name} has {len(data):,} bytes, more than the {PAGE_BYTES_MAX:,} allowed")
    text = decode_page(data)
    if "<!ENTITY" in text[: 1 << 16].upper():
        raise ScriptError(1, f"{name} declares entities, which are not read")
    text = without_document_type(text)
    reader = PageReader(name)
    for start in range(0, len(text), _CHUNK):
        reader.feed(text[start : start + _CHUNK])
        budget.check_time()
    reader.close()
    reader.end()
    return reader.page


def without_document_type(text: str) -> str:
    """Drop a document type that declares something."""
    return _DOCUMENT_TYPE.sub("", text, count=1)


def decode_page(data: bytes) -> str:
    """Decode a page by its byte order mark or its own declaration, else UTF-8, else Windows-1252.

    >>> decode_page('<?xml version="1.0" encoding="iso-8859-1"?><p>Grüße</p>'.encode("latin-1"))[-12:]
    '<p>Grüße</p>'
    """
    for mark, codec in _BOMS:
        if data.startswith(mark):
            return data[len(mark) :].decode(codec, "replace")
    found = _DECLARED.search(data[:2048])
    for name in (found[1].decode("ascii") if found else "utf-8", "utf-8"):
        try:
            return data.decode(name)
        except (UnicodeError, LookupError):
            continue
    return data.decode("windows-1252", "replace")


class PageReader(HTMLParser):
    """Collects blocks; a region that is left out has a kind, and its text goes there."""

    def __init__(self, name: str) -> None:
        super().__init__(convert_charrefs=True)
        self.page = Page(name)
        self._open: list[tuple[str, str]] = []
        """Tags of open elements, and the kind of omission that begins there."""
        self._kind = ""
        """Kind of the region that is being left out, empty in text."""
        self.text: list[str] = []
        """Text of the block so far."""
        self._aside: list[str] = []
        self._line = 1
        self._level = 0
        self._superscript = 0
        self._link: int | None = None
        """Length of the text at the start of an open link to a place in the book."""
        self._link_certain = False
        self._begins_with_mark = False

    # -- events of the parser

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {key: value or "" for key, value in attrs} if attrs else _NONE
        if tag == "meta":
            self._meta(given)
        if tag == "html":
            self.page.language = given.get("lang") or given.get("xml:lang") or ""
        if tag in _BLOCKS:
            self._separate()
        types = _NO_TYPES
        if given:
            self._anchor(given)
            types = frozenset(f"{given.get('epub:type', '')} {given.get('role', '')}".lower().split())
        if types and not self._kind:
            self.page.types.append((len(self.page.blocks), types))
        if tag in _VOID:
            self._void(tag, given)
            return
        kind = "" if self._kind else _left_out(tag, types, given)
        if len(self._open) < _OPEN_MAX:
            self._open.append((tag, kind))
            self._enter(tag, kind, types, given)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self._open or (
            self._open[-1][0] != tag and not any(name == tag for name, _ in self._open[-_SEARCHED_MAX:])
        ):
            return
        while self._open:
            name, kind = self._open.pop()
            self._leave(name, kind)
            if name == tag:
                return

    def handle_data(self, data: str) -> None:
        if self._kind:
            self._aside.append(data)
        elif self._open and self._open[-1][0] == "title":
            self.page.title = " ".join(f"{self.page.title}{data}".split())
        else:
            if not self.text:
                self._line = self.getpos()[0]
            self.append(data.translate(_SUPERSCRIPT) if self._superscript else data)

    def append(self, text: str) -> None:
        """Add text to the block."""
        self.text.append(text)

    def end(self) -> None:
        """Close all open elements."""
        while self._open:
            self._leave(*self._open.pop())
        self.flush()

    # -- regions

    def _enter(self, tag: str, kind: str, types: frozenset[str], given: dict[str, str]) -> None:
        if kind:
            self._kind, self._aside = kind, []
        elif self._kind:
            return
        elif tag in _HEADINGS:
            self._level = int(tag[1])
        elif tag in ("sup", "sub"):
            self._superscript += tag == "sup"
        elif tag == "a":
            within = "#" in given.get("href", "")
            self._link_certain = bool(types & _NOTE_MARKS) or "noteref" in given.get("class", "").lower()
            self._link = len(self.text) if within or self._link_certain else None

    def _leave(self, tag: str, kind: str) -> None:
        if kind:
            self._kind = ""
            if kind != "unseen":
                self._omit(kind, "".join(self._aside))
            self._aside = []
        elif self._kind:
            return
        elif tag == "sup":
            self._superscript = max(0, self._superscript - 1)
        elif tag == "a":
            self._leave_link()
        if tag in _BLOCKS and not self._kind:
            self.flush()
        if self._level and tag in _HEADINGS:
            self._level = 0

    def _leave_link(self) -> None:
        if self._link is None:
            return
        text = "".join(self.text[self._link :]).strip()
        plain = text.translate(_PLAIN)
        if self._link_certain or _NOTE_TEXT.fullmatch(plain):
            self._begins_with_mark |= not "".join(self.text[: self._link]).strip()
            del self.text[self._link :]
            self._omit(FOOTNOTE_MARK, plain)
        self._link = None

    def _void(self, tag: str, given: dict[str, str]) -> None:
        if self._kind:
            return
        if tag == "br":
            self.append(" ")
        elif tag == "hr":
            self.flush()
            self._rest()
        elif tag in ("img", "image"):
            self._omit(PICTURE, given.get("alt", ""))

    def _meta(self, given: dict[str, str]) -> None:
        if given.get("name", "").lower() == "author":
            self.page.author = given.get("content", "")

    def _anchor(self, given: dict[str, str]) -> None:
        for name in (given.get("id"), given.get("name")):
            if name:
                pending = bool("".join(self.text).strip())
                self.page.anchors.setdefault(name, len(self.page.blocks) + pending)

    def _rest(self) -> None:
        if self.page.blocks and self.page.blocks[-1].kind == TEXT:
            self.page.blocks.append(Block(REST, "", self._place(self.getpos()[0])))

    def _omit(self, kind: str, text: str) -> None:
        self.page.left_out.append(LeftOut(kind, " ".join(text.split()), len(self.page.blocks)))

    def flush(self) -> None:
        """End the block of text so far."""
        text = " ".join("".join(self.text).split())
        note, self._begins_with_mark = self._begins_with_mark, False
        self.text, self._link = [], None
        if not text:
            return
        if note and not self._level:
            self._omit(FOOTNOTE, text)
        elif not any(map(str.isalnum, text)):
            self._rest()  # three asterisks between scenes
        else:
            kind = HEADING if self._level else TEXT
            self.page.blocks.append(Block(kind, text, self._place(self._line), self._level))

    def _separate(self) -> None:
        """Part the text before the edge of a block from the text behind it."""
        if self._kind:
            self._aside.append(" ")
        else:
            self.flush()

    def _place(self, line: int) -> str:
        return f"{self.page.name}:{line}"


def _left_out(tag: str, types: frozenset[str], given: dict[str, str]) -> str:
    """Kind under which an element is left out; empty if it is read."""
    if tag in _UNSEEN:
        return "unseen"
    by_type = next((_LEFT_OUT_TYPES[name] for name in sorted(types) if name in _LEFT_OUT_TYPES), "")
    if by_type or tag in _LEFT_OUT_TAGS:
        return by_type or _LEFT_OUT_TAGS[tag]
    if "hidden" in given:
        return HIDDEN
    classes = given.get("class", "")
    if tag in ("a", "body", "html") or not classes:
        return ""
    return next((kind for pattern, kind in _LEFT_OUT_CLASSES if pattern.search(classes)), "")
