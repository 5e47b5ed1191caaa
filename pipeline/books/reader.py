"""Recognition and reading of books in every format, beside scripts."""

from collections.abc import Collection
from types import MappingProxyType
from typing import Any

from pipeline.books.document import Document
from pipeline.books.epub import read_epub
from pipeline.books.limits import BOOK_BYTES_MAX, Budget
from pipeline.books.recital import lines_of, script_of
from pipeline.errors import OptionError, ScriptError
from pipeline.script import parser
from pipeline.script.turns import Script

FORMS = MappingProxyType(
    {
        "epub": "EPUB 2 or 3",
    }
)
"""Formats of books: values of the option `form`, beside those of scripts."""
_READERS = {"epub": read_epub}


def book_form(source: object, form: str | None = None) -> str | None:
    """Form of a book, as it is given or recognised by its first bytes; None for a script."""
    if form is not None:
        return form if form in FORMS else None
    if not isinstance(source, bytes) or not source.startswith(b"PK\x03\x04"):
        return None
    marked = b"application/epub+zip" in source[:200] or b"META-INF/container.xml" in source[-(1 << 16) :]
    return "epub" if marked else None


def read_book(source: bytes | str, form: str | None = None) -> Document:
    """Read a book into a document, within limits of size and time.

    Args:
        form: a key of `FORMS`; None recognises it.

    Raises:
        ScriptError: it is damaged, protected, or beyond the limits.
        OptionError: no such form.
    """
    found = book_form(source, form)
    if found is None:
        raise OptionError("form", f"the file is no book that is read; there are {', '.join(FORMS)}")
    data = source.encode() if isinstance(source, str) else source
    if len(data) > BOOK_BYTES_MAX:
        raise ScriptError(1, f"the book has {len(data):,} bytes, more than the {BOOK_BYTES_MAX:,} allowed")
    return _READERS[found](data, Budget())


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
    chapters: str | None = None,
) -> Script:
    """Read a script or a book, with its problems.

    Args:
        chapters: the chapters of a book that are read, see `pipeline.books.selection.selected`.

    Raises:
        OptionError: no such form, encoding, chapters or way to treat symbols.
    """
    book = book_form(source, form)
    if book is None or isinstance(source, list):
        return parser.read(
            source, characters_max=characters_max, form=form, encoding=encoding, cast=cast, symbols=symbols
        )
    parser.check_symbols(symbols)
    try:
        document = read_book(source, book)
        return script_of(document, characters_max=characters_max, chapters=chapters, symbols=symbols)
    except ScriptError as error:
        return parser.unreadable(error, book)
