"""Chapters of a book with their numbers, words and minutes, and which of them are read by default."""

from dataclasses import dataclass

from pipeline.books.document import Document
from pipeline.books.selection import selected


@dataclass(frozen=True, slots=True)
class ListedChapter:
    """A chapter of a book."""

    number: int
    """From 1, as the option `chapters` names it."""
    title: str
    words: int
    minutes: float
    """Expected duration."""
    read: bool
    matter: str
    """'front matter' or 'back matter'; empty for the text itself."""


def listed_chapters(document: Document, chosen: str | None, words_per_s: float) -> list[ListedChapter]:
    """List the chapters of a book.

    Args:
        chosen: see `pipeline.books.selection.selected`.
        words_per_s: pace of the engine.

    Raises:
        OptionError: no such chapters.
    """
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
