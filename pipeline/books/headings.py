"""Chapters by headings, for books without a table of contents."""

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace

from pipeline.books.document import HEADING, TEXT, Block, Chapter, LeftOut
from pipeline.books.matter import FRONT, matter_of

HEADING_WORDS_MAX = 12
"""Most words of a line or paragraph that is taken for a heading by its form."""
_CHAPTER = re.compile(
    r"(?:chapter|part|book|act|canto|volume|letter)[ \t]+(?:\d{1,4}|[ivxlcdm]{1,8}|[a-z-]{3,20})\b[^\n]{0,80}"
    r"|prologue|epilogue|preface|foreword|introduction|afterword|contents|index|glossary|appendix[^\n]{0,40}",
    re.IGNORECASE,
)
_NUMERAL = re.compile(r"(?:[IVXLC]{1,7}|\d{1,3})\.?")
_BYLINE = re.compile(r"(?:\w+ ){0,2}by\s+\S[^\n]{0,80}(?<![.!?,;:])", re.IGNORECASE)
_BYLINE_WORDS_MAX = 10
_PART = re.compile(r"(?:part|book|volume)\b.{0,80}", re.IGNORECASE)


def divided(
    blocks: Sequence[Block], left_out: Sequence[LeftOut], title: str = ""
) -> tuple[list[Chapter], str]:
    """Divide a text into chapters.

    Chapters begin at the headings of the highest level that occurs twice or more; where these are all parts,
    at those of the next level too. Without such headings the text is one chapter. What precedes the first
    chapter is one of its own: front matter, if it is headings alone. A title with its author's line is front
    matter, too.

    Returns:
        The chapters, and the title of the book: the one given, or else a heading above all chapters.
    """
    levels = _levels(blocks)
    marked = {
        number for number, block in enumerate(blocks) if block.kind == HEADING and block.level in levels
    }
    starts = {
        number
        for number in marked
        if number - 1 not in marked or blocks[number - 1].level >= blocks[number].level
    }
    edges = sorted({0, *starts})
    chapters: list[Chapter] = []
    for first, last in zip(edges, [*edges[1:], len(blocks)], strict=True):
        own = tuple(blocks[first:last])
        if not own:
            continue
        is_last = last == len(blocks)
        parts = tuple(
            replace(part, block=part.block - first)
            for part in left_out
            if first <= part.block < last or (is_last and part.block == last)
        )
        opening = first not in starts and bool(starts)
        name = "" if opening and not title and len(own) > 1 else _title(own, levels)
        started = any(not chapter.matter for chapter in chapters)
        matter = matter_of(name, (), started=started)
        if (opening and all(block.kind != TEXT for block in own)) or (not first and _is_title_page(own)):
            matter, title = FRONT, title or own[0].text
        chapters.append(Chapter(name or title, own, matter, parts))
    return chapters, title


def names_a_chapter(text: str) -> bool:
    """Tell whether a line is a heading such as `Chapter 2: The Stair`, `IV.` or `Epilogue`."""
    return bool(_CHAPTER.fullmatch(text.rstrip(".")) or _NUMERAL.fullmatch(text))


def _is_title_page(blocks: Sequence[Block]) -> bool:
    """Tell whether blocks are a title and lines such as `by Ann Author`.

    >>> _is_title_page([Block(HEADING, "The Lamp", "", 1), Block(TEXT, "A novel by Ann Author", "")])
    True
    """
    texts = [block.text for block in blocks if block.kind == TEXT]
    bylines = all(_BYLINE.fullmatch(text) and len(text.split()) <= _BYLINE_WORDS_MAX for text in texts)
    is_titled = blocks[0].kind == HEADING and not names_a_chapter(blocks[0].text)
    return bool(texts) and bylines and is_titled


def with_bold_headings(blocks: Sequence[Block], bold: Collection[int]) -> list[Block]:
    """Make headings of bold paragraphs, for a document whose headings have no style.

    A bold paragraph is a heading if it is short and no sentence. Where some name chapters (`Chapter 2`), the
    others are sections; those before the first chapter are titles.

    Args:
        bold: indices of the bold blocks.
    """
    found = [number for number in sorted(bold) if _is_bold_heading(blocks[number].text)]
    if len(found) < 2 or 2 * len(found) > len(blocks):
        return list(blocks)
    chapters = {number for number in found if names_a_chapter(blocks[number].text)}
    if len(chapters) < 2:
        chapters = set(found)
    first = min(chapters)
    levels = {number: 2 if number in chapters else 3 if number > first else 1 for number in found}
    return [
        replace(block, kind=HEADING, level=levels[number]) if number in levels else block
        for number, block in enumerate(blocks)
    ]


def _is_bold_heading(text: str) -> bool:
    is_sentence = text.endswith((".", "!", "?", ",", ";", ":", '"', "”"))
    return names_a_chapter(text) or (not is_sentence and len(text.split()) <= HEADING_WORDS_MAX)


def _levels(blocks: Sequence[Block]) -> set[int]:
    """Levels of the headings that begin chapters."""
    headings = [block for block in blocks if block.kind == HEADING]
    counted = Counter(block.level for block in headings)
    repeated = sorted(level for level, count in counted.items() if count > 1)
    if not repeated:
        return set(sorted(counted)[:1])
    first = repeated[0]
    parts = all(_PART.fullmatch(block.text) for block in headings if block.level == first)
    below = [level for level in repeated if level > first]
    return {first, below[0]} if parts and below else {first}


def _title(blocks: Sequence[Block], levels: set[int]) -> str:
    """Title of a chapter: its headings of these levels that stand together."""
    found: list[str] = []
    for block in blocks:
        if block.kind != HEADING or block.level not in levels or len(found) == len(levels):
            break
        found.append(block.text)
    return ": ".join(found)[:300] or next((b.text[:300] for b in blocks if b.kind == HEADING), "")
