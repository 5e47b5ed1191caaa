"""HTML pages as books, with chapters by headings."""

from pipeline.books.document import Document
from pipeline.books.formats.html_page import read_page
from pipeline.books.headings import divided
from pipeline.books.limits import Budget
from pipeline.errors import ScriptError


def read_html(data: bytes, budget: Budget) -> Document:
    """Read an HTML page.

    Raises:
        ScriptError: it has no text, or is beyond the limits.
    """
    page = read_page(data, "the page", budget)
    if not page.blocks:
        raise ScriptError(1, "the page has no text")
    chapters, title = divided(page.blocks, page.left_out, page.title)
    return Document(
        form="html",
        chapters=tuple(chapters),
        title=title,
        authors=(page.author,) if page.author else (),
        language=page.language,
    )
