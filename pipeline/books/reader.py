"""Recognition and reading of books in every format, beside scripts."""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from pipeline.books.document import Document
from pipeline.books.formats.docx import read_docx
from pipeline.books.formats.epub import read_epub
from pipeline.books.formats.html_page import decode_page
from pipeline.books.formats.plain_text import read_markdown, read_plain_text
from pipeline.books.formats.web_page import read_html
from pipeline.books.limits import BOOK_BYTES_MAX, Budget
from pipeline.books.quotes import QUOTED
from pipeline.books.recital import lines_of, script_of
from pipeline.errors import OptionError, ScriptError
from pipeline.script import parser
from pipeline.script.encoding import decode
from pipeline.script.foreign import refuse_foreign
from pipeline.script.names import identity
from pipeline.script.parser import with_newlines
from pipeline.script.turns import Script

FORMS = MappingProxyType(
    {
        "epub": "EPUB 2 or 3",
        "docx": "Word document",
        "html": "HTML page",
        "md": "Markdown with chapters",
        "text": "plain text with chapters",
    }
)
"""Formats of books: values of the option `form`, beside those of scripts."""
TEXT_FORMS = ("md", "text")
"""Formats that are text, which scripts are as well."""
_MARKDOWN = re.compile(r"^#{1,6}[ \t]+\S", re.MULTILINE)
_UNDERLINED = re.compile(r"^[^\s#>|*+-][^\n]{0,200}\n(?:={3,}|-{3,})[ \t]*$", re.MULTILINE)
_MARKED = re.compile(
    r"^(?:```|~~~)|^[ \t]*+\|?(?:[ \t]*+:?-{3,}:?[ \t]*\|)+|^\[\^[^\]\s]{1,40}\]:|^[-*+] \S|^> \S"
    r"|\*\*[^\s*][^*\n]{0,200}\*\*|!?\[[^\[\]\n]{1,200}\]\([^()\s]{1,500}\)",
    re.MULTILINE,
)
"""Markdown's code, tables, notes, lists, quotations, strong words, links and pictures."""
_HTML = re.compile(
    r"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.{0,1000}?-->\s*)*+<(?:!doctype\s+html|html[\s>])", re.I | re.S
)
"""Possessive, since "<!---->" repeated is a sequence of comments in exponentially many ways."""


def book_form(source: object, form: str | None = None) -> str | None:
    """Form of a book, as it is given or recognised by its content; None for a script.

    Markdown and plain text are books only if `form` says so: they are scripts as well.
    """
    if form is not None or not isinstance(source, bytes | str):
        return form if form in FORMS else None
    if isinstance(source, bytes) and source.startswith(b"PK\x03\x04"):
        if b"application/epub+zip" in source[:200] or b"META-INF/container.xml" in source:
            return "epub"
        return "docx" if b"word/document.xml" in source else None
    start = source[:4096]
    text = decode_page(start) if isinstance(start, bytes) else start
    return "html" if _HTML.match(text) else None


def text_form(source: bytes | str) -> str:
    """Form of a book of text: Markdown if it has such headings, else plain text.

    Underlined headings are those of plain text, too; they are Markdown's where other marks of it are.
    """
    text = source if isinstance(source, str) else source.decode(errors="replace")
    is_markdown = _MARKDOWN.search(text) or (_UNDERLINED.search(text) and _MARKED.search(text))
    return "md" if is_markdown else "text"


def chosen_form(source: object, form: str | None, chapters: str | None) -> str | None:
    """Form of a book; None for a script. Text of which chapters are chosen is a book."""
    found = book_form(source, form)
    if found is None and form is None and chapters is not None and isinstance(source, bytes | str):
        return text_form(source)
    return found


def read_book(source: bytes | str, form: str | None = None, *, encoding: str | None = None) -> Document:
    """Read a book into a document, within limits of size and time.

    Args:
        form: a key of `FORMS`; None recognises it.
        encoding: of Markdown and plain text in bytes, where it is not UTF-8.

    Raises:
        ScriptError: it is damaged, protected, beyond the limits, or no book.
        OptionError: unknown encoding.
    """
    if len(source) > BOOK_BYTES_MAX:
        raise ScriptError(1, f"the book has {len(source):,} bytes, more than the {BOOK_BYTES_MAX:,} allowed")
    found = book_form(source, form) or text_form(source)
    budget = Budget()
    if found in TEXT_FORMS:
        text = decode(source, encoding) if isinstance(source, bytes) else source
        refuse_foreign(text)
        text = with_newlines(text)
        return read_markdown(text, budget) if found == "md" else read_plain_text(text, budget)
    data = source.encode(errors="replace") if isinstance(source, str) else source
    return _READERS[found](data, budget)


_READERS: Mapping[str, Callable[[bytes, Budget], Document]] = MappingProxyType(
    {"epub": read_epub, "docx": read_docx, "html": read_html}
)


def text_of_book(source: bytes | str) -> str:
    """All words of a book; none if it cannot be read."""
    try:
        return "\n".join(lines_of(read_book(source)))
    except (ScriptError, OptionError):
        return ""


def read(
    source: str | bytes | list[Any],
    *,
    characters_max: int = parser.CHARACTERS_MAX,
    form: str | None = None,
    encoding: str | None = None,
    cast: Collection[str] = (),
    symbols: str = "refuse",
    headings: str | None = None,
    chapters: str | None = None,
    timed: bool = False,
) -> Script:
    """Read a script or a book, with its problems.

    Args:
        headings: one of `pipeline.script.turns.HEADINGS`; None reads them where there are no speakers.
        chapters: the chapters of a book that are read, see `pipeline.books.selection.selected`.
        timed: begin each cue of subtitles at its time.
        cast: names of speakers that are given a voice; `Quoted` among them parts quoted speech in a book.

    Raises:
        OptionError: no such form, encoding, chapters, or way to treat symbols or headings.
    """
    book = chosen_form(source, form, chapters)
    if book is None or isinstance(source, list):
        return parser.read(
            source,
            characters_max=characters_max,
            form=form,
            encoding=encoding,
            cast=cast,
            symbols=symbols,
            headings=headings,
            timed=timed,
        )
    parser.check_ways(symbols, headings)
    if timed:
        parser.check_timed(book)
    try:
        document = read_book(source, book, encoding=encoding)
        quoted = any(identity(name) == identity(QUOTED) for name in cast)
        script = script_of(
            document,
            characters_max=characters_max,
            chapters=chapters,
            symbols=symbols,
            headings=headings,
            quoted=quoted,
        )
        return replace(script, source=source) if book == "epub" and isinstance(source, bytes) else script
    except ScriptError as error:
        return parser.unreadable(error, book)
