"""A book as a script: the turns of the chapters that are read, and counts of all that is not."""

from collections.abc import Iterator
from dataclasses import replace

from pipeline.books import quotes
from pipeline.books.document import HEADING, REST, Block, Chapter, Document
from pipeline.books.selection import selected
from pipeline.errors import ScriptError
from pipeline.script.events import Event, fold, heading, pause_between, words
from pipeline.script.events import chapter as begin_chapter
from pipeline.script.turns import BookChapter, Findings, Script, Work

CHAPTER_REST_MS = 1500
"""Silence before a chapter, in addition to that between turns."""
SCENE_REST_MS = 1000
NOT_CHOSEN = "chapter that is not chosen"


def script_of(
    document: Document,
    *,
    characters_max: int,
    chapters: str | None = None,
    symbols: str = "refuse",
    headings: str | None = None,
    quoted: bool = False,
) -> Script:
    """Turn a book into a script that one narrator reads.

    The lines of the script are the blocks of the whole book, numbered from 1, whichever chapters are read.

    Args:
        chapters: see `pipeline.books.selection.selected`.
        symbols: one of `pipeline.script.plain.SYMBOLS`.
        headings: one of `pipeline.script.turns.HEADINGS`; None reads them.
        quoted: give quoted speech to a speaker of its own, `pipeline.books.quotes.QUOTED`.

    Raises:
        OptionError: no such chapters.
        ScriptError: nothing to read, or too much.
    """
    findings = Findings(symbols, headings)
    events: list[Event] = []
    line = 1
    reads = selected(document.chapters, chapters)
    for number, (chapter, is_read) in enumerate(zip(document.chapters, reads, strict=True), 1):
        if is_read:
            events += _events(chapter, line, chapter.title or f"Chapter {number}")
            for part in chapter.left_out:
                findings.omit(line + min(part.block, len(chapter.blocks) - 1), part.kind, part.text)
        else:
            text = " ".join(block.text for block in chapter.blocks)
            findings.omit(line, chapter.matter or NOT_CHOSEN, text)
        line += len(chapter.blocks)
    for notice in document.notices:
        findings.notice(1, notice)
    spoken = quotes.with_speakers(events) if quoted else events
    turns, starts = fold(spoken, findings, has_speakers=False)
    script = replace(
        findings.script(turns, document.form, chapters=starts, work=_work(document)),
        contents=tuple(
            BookChapter(chapter.title, chapter.words, is_read, chapter.matter)
            for chapter, is_read in zip(document.chapters, reads, strict=True)
        ),
    )
    if not turns and not script.problems:
        raise ScriptError(1, "no chapter that is read has words; `chapters` lists them")
    if script.characters > characters_max:
        raise ScriptError(
            1,
            f"the chapters have {script.characters:,} characters, more than the {characters_max:,} allowed; "
            "choose some with `--chapters`",
        )
    return script


def lines_of(document: Document) -> list[str]:
    """Lines of the script that a book makes, which are its blocks."""
    return [block.text for chapter in document.chapters for block in chapter.blocks]


def _events(chapter: Chapter, line: int, title: str) -> Iterator[Event]:
    yield pause_between(line)
    yield from begin_chapter(line, title)
    yield Event(line, "rest", rest_ms=CHAPTER_REST_MS)
    for number, block in enumerate(chapter.blocks, line):
        yield from _block(block, number)


def _block(block: Block, line: int) -> Iterator[Event]:
    if block.kind == REST:
        yield pause_between(line)
        yield Event(line, "rest", rest_ms=SCENE_REST_MS)
    elif block.kind == HEADING:
        yield heading(line, block.text)
    else:
        yield words(line, block.text)
        yield pause_between(line)


def _work(document: Document) -> Work:
    cover = document.cover
    return Work(
        title=document.title,
        authors=document.authors,
        series=document.series,
        series_position=document.series_position,
        language=document.language,
        cover=cover.data if cover else b"",
        cover_type=cover.media_type if cover else "",
    )
