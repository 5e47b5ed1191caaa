"""Description of a book: its title, and its chapters with their numbers, words and minutes."""

from dataclasses import asdict, dataclass
from typing import Any

from pipeline.books.document import Document
from pipeline.books.selection import selected


@dataclass(frozen=True, slots=True)
class ListedChapter:
    """A chapter of a book or a script."""

    number: int
    """From 1; of a book the number that the option `chapters` takes."""
    title: str
    words: int
    minutes: float
    """Expected duration."""
    read: bool
    matter: str
    """'front matter' or 'back matter' of a book; empty for the text itself."""


def book_record(document: Document, chosen: str | None, words_per_s: float) -> dict[str, Any]:
    """Describe a book in plain JSON values.

    Args:
        chosen: see `pipeline.books.selection.selected`.
        words_per_s: pace of the engine.

    Raises:
        OptionError: no such chapters.
    """
    return {
        "form": document.form,
        "title": document.title,
        "authors": list(document.authors),
        "series": document.series,
        "series_position": document.series_position,
        "language": document.language,
        "cover": document.cover is not None,
        "chapters": [asdict(each) for each in _chapters(document, chosen, words_per_s)],
        "left_out": dict(document.left_out()),
        "notices": list(document.notices),
    }


def _chapters(document: Document, chosen: str | None, words_per_s: float) -> list[ListedChapter]:
    reads = selected(document.chapters, chosen)
    return [
        ListedChapter(
            number=number,
            title=chapter.title,
            words=chapter.words,
            minutes=round(chapter.words / words_per_s / 60, 1),
            read=is_read,
            matter=chapter.matter,
        )
        for number, (chapter, is_read) in enumerate(zip(document.chapters, reads, strict=True), 1)
    ]
