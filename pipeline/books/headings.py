"""Chapters by headings, for books without a table of contents."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from pipeline.books.document import HEADING, TEXT, Block, Chapter, LeftOut
from pipeline.books.matter import FRONT, matter_of

_PART = re.compile(r"(?:part|book|volume)\b.{0,80}", re.IGNORECASE)


def divided(
    blocks: Sequence[Block], left_out: Sequence[LeftOut], title: str = ""
) -> tuple[list[Chapter], str]:
    """Divide a text into chapters.

    Chapters begin at the headings of the highest level that occurs twice or more; where these are all parts,
    at those of the next level too. Without such headings the text is one chapter. What precedes the first
    chapter is one of its own: front matter, if it is headings alone.

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
        if opening and all(block.kind != TEXT for block in own):
            matter, title = FRONT, title or own[0].text
        chapters.append(Chapter(name or title, own, matter, parts))
    return chapters, title


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
