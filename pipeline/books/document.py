"""Records of a read book: chapters of blocks, and what was left out by rule."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline.script.words import spoken_words

HEADING = "heading"
TEXT = "text"
REST = "rest"
"""Kinds of blocks: a heading, a paragraph, and a scene break."""

FOOTNOTE, FOOTNOTE_MARK, PAGE_NUMBER = "footnote", "footnote mark", "page number"
CAPTION, TABLE, CODE, PICTURE = "image caption", "table", "code block", "picture"
CONTENTS, HIDDEN = "table of contents", "hidden text"
"""Kinds of text that is left out in more than one format."""


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, a heading, or a scene break."""

    kind: str
    text: str
    """White space folded; empty for a scene break only."""
    source: str
    """File within the book and line in it: `OEBPS/chapter1.xhtml:12`."""
    level: int = 0
    """Level of a heading, from 1."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Text of a chapter that is not spoken, by rule."""

    kind: str
    """A noun: 'footnote', 'table', 'page number', …"""
    text: str
    block: int
    """Number of blocks of the chapter before it."""


@dataclass(frozen=True, slots=True)
class Chapter:
    """A chapter of a book."""

    title: str
    blocks: tuple[Block, ...]
    matter: str = ""
    """'front matter' or 'back matter', which is left out by default; empty for the text itself."""
    left_out: tuple[LeftOut, ...] = ()

    @property
    def words(self) -> int:
        """Words that are spoken if the chapter is."""
        return sum(spoken_words(block.text) for block in self.blocks)


@dataclass(frozen=True, slots=True)
class Cover:
    """A book's cover."""

    data: bytes = field(repr=False)
    media_type: str
    """`image/jpeg` or `image/png`."""


@dataclass(frozen=True, slots=True)
class Document:
    """A book."""

    form: str
    """A key of `pipeline.books.reader.FORMS`."""
    chapters: tuple[Chapter, ...]
    title: str = ""
    authors: tuple[str, ...] = ()
    series: str = ""
    series_position: str = ""
    """Position in the series, such as '2'; empty if unknown."""
    language: str = ""
    """Language tag (BCP 47), empty if unknown."""
    cover: Cover | None = None
    notices: tuple[str, ...] = ()
    """Unusual things about the file."""

    def left_out(self) -> Mapping[str, int]:
        """Parts of all chapters that are left out by rule, counted by kind."""
        return Counter(part.kind for chapter in self.chapters for part in chapter.left_out)
