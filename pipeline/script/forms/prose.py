"""Prose and Markdown, which one narrator reads."""

import itertools
import re
from collections.abc import Generator, Iterator, Sequence

from pipeline.script import marks
from pipeline.script.events import Event, chapter, heading, pause_between, words
from pipeline.script.forms import labels, structure, structured
from pipeline.script.forms.structure import Line
from pipeline.script.turns import Findings
from pipeline.script.vocabulary import Kind, kind

_FENCE = re.compile(r"\s*(`{3,}|~{3,})\s*([\w+-]*)\s*")
_TABLE_RULE = re.compile(r"\s*\|?(?:\s*:?-{2,}:?\s*\|)+\s*(?::?-{2,}:?)?\s*")
_ITEM = re.compile(r"\s*(?:[-+•‣◦▪]|\*{1,6})\s+(?:\[[ xX]\]\s+)?(?=\S)")
_NUMBERED = re.compile(r"\s*\d{1,4}[.)]\s+\S")
_QUOTED = re.compile(r"\s*(?:>\s?)+")
_UNDERLINE = re.compile(r"\s*(?:=+|-{2,})\s*")
_DEFINITION = re.compile(r"\s*\[\^[^\[\]\s]+\]:\s*|\s*\[[^\[\]]+\]:\s+<?\S+>?(?:\s+[\"'(].*)?\s*$")
_CHAPTER = re.compile(
    r"\s*(?:chapter|part|book|act|scene|prologue|epilogue|canto|volume|episode)\b[^.!?]{0,60}", re.IGNORECASE
)
_INLINE = re.compile(r"\[[^\[\]\n]+\]\([^()\s]+\)|(?<![*\w])\*\*[^\s*][^*\n]*\*\*|!\[[^\]]*\]\(|`[^`\n]+`")
_BACKSLASH = re.compile(r"^(\s*)\\(?![\\`*_{}\[\]()#+\-.!|>~<])")
_ENDED = (".", "!", "?", ":", ";", "…", '"', "'", ")", ",", "—", "。", "！", "？")


def is_markdown(lines: Sequence[Line]) -> bool:
    """Tell whether prose has Markdown's structure or marks."""
    text = "\n".join(line.text for line in lines)
    heads = any(line.kind == structure.HEADING for line in lines)
    blocks = re.search(r"^[^\S\n]*(?:`{3}|~{3}|>\s|[-*+]\s+\S)", text, re.MULTILINE)
    tables = any(_is_table(lines, position) for position in range(len(lines)))
    return heads or tables or bool(blocks) or bool(_INLINE.search(text))


def read(lines: Sequence[Line], findings: Findings) -> Iterator[Event]:
    """Read prose: paragraphs, headings with silence around them, lists, quotations and tables."""
    position = 0
    timed = _has_times(lines)
    lone = sum(labels.is_time(line.text) for line in lines) > 1
    while position < len(lines):
        line = lines[position]
        fence = _FENCE.fullmatch(line.text)
        if fence:
            position = yield from _code(lines, position, fence[1], findings)
        elif lone and labels.is_time(line.text):
            findings.omit(line.number, "time", line.text)
            position += 1
        elif _is_table(lines, position):
            position = yield from _table(lines, position, findings)
        elif _is_underlined(lines, position):
            yield from chapter(line.number, line.text if lines[position + 1].text.startswith("=") else "")
            yield heading(line.number, line.text)
            findings.omit(line.number + 1, "heading mark", "")
            position += 2
        else:
            yield from _line(line, lines, timed, findings)
            position += 1


def code_blocks(lines: Sequence[Line]) -> Iterator[tuple[int, str]]:
    """The number of each code block's first line, and what is in it."""
    position = 0
    while position < len(lines):
        fence = _FENCE.fullmatch(lines[position].text)
        if fence:
            end = _end_of_code(lines, position, fence[1])
            yield lines[position].number, "\n".join(line.text for line in lines[position + 1 : end])
            position = end
        position += 1


def _line(line: Line, lines: Sequence[Line], timed: bool, findings: Findings) -> Iterator[Event]:
    number, text = line.number, line.text
    if line.kind in (structure.BLANK, structure.RULE):
        yield pause_between(number)
        return
    if line.kind == structure.HEADING:
        findings.omit(number, "heading mark", "")
        yield from chapter(number, structure.chapter_title(text))
        yield heading(number, structure.heading_text(text))
        return
    if _DEFINITION.match(text):
        findings.omit(number, marks.FOOTNOTE if text.lstrip().startswith("[^") else marks.ADDRESS, text)
        return
    if timed:
        text, time = labels.without_time(text)
        if time:
            findings.omit(number, "time", time)
    quoted = _QUOTED.match(text)
    text = text[quoted.end() :] if quoted else text
    item = _ITEM.match(text)
    if item and any(map(str.isalnum, item[0])):
        findings.omit(number, "checkbox", item[0])
    if item or _NUMBERED.match(text):
        yield pause_between(number)
        yield words(number, text[item.end() :] if item else text)
    elif _is_chapter(line, lines):
        yield from chapter(number, text.strip())
        yield heading(number, text)
    else:
        yield words(number, _BACKSLASH.sub(r"\1", text))


def _is_chapter(line: Line, lines: Sequence[Line]) -> bool:
    """Tell whether a line alone between blank lines is a chapter's heading."""
    before = lines[line.number - 2].kind if line.number > 1 else structure.BLANK
    after = lines[line.number].kind if line.number < len(lines) else structure.BLANK
    alone = before == structure.BLANK and after == structure.BLANK and len(lines) > 1
    return alone and bool(_CHAPTER.fullmatch(line.text)) and not line.text.rstrip().endswith(_ENDED)


def _is_underlined(lines: Sequence[Line], position: int) -> bool:
    """Tell whether a line is a heading by the rule below it."""
    marked = lines[position].text.lstrip().startswith("#")
    if (
        position + 1 >= len(lines)
        or lines[position].kind not in (structure.SPEECH, structure.HEADING)
        or marked
    ):
        return False
    below = lines[position + 1].text
    above = lines[position - 1].kind if position else structure.BLANK
    return bool(_UNDERLINE.fullmatch(below)) and below.strip() != "" and above == structure.BLANK


def _has_times(lines: Sequence[Line]) -> bool:
    """Tell whether most lines begin with a time, as transcripts have them."""
    speech = [line for line in lines if line.kind == structure.SPEECH]
    timed = sum(bool(labels.without_time(line.text)[1]) for line in speech)
    return timed >= 2 and timed * 2 >= len(speech)


def _code(
    lines: Sequence[Line], position: int, fence: str, findings: Findings
) -> Generator[Event, None, int]:
    """Leave a block of code out; returns the position behind it."""
    end = _end_of_code(lines, position, fence)
    block = lines[position : end + 1]
    findings.omit(lines[position].number, "code block", "\n".join(line.text for line in block))
    yield pause_between(lines[position].number)
    return end + 1


def _end_of_code(lines: Sequence[Line], position: int, fence: str) -> int:
    return next(
        (i for i in range(position + 1, len(lines)) if lines[i].text.strip().startswith(fence[:3])),
        len(lines),
    )


def _is_table(lines: Sequence[Line], position: int) -> bool:
    below = lines[position + 1].text if position + 1 < len(lines) else ""
    return "|" in lines[position].text and "-" in below and bool(_TABLE_RULE.fullmatch(below))


def _table(lines: Sequence[Line], position: int, findings: Findings) -> Generator[Event, None, int]:
    """Read a table row by row, the cells of a row as one sentence; returns the position behind it."""
    if structured.is_table_of_turns(lines[position].text):
        findings.problem(
            lines[position].number,
            "begins a table of speakers and texts within other text; give the table by itself",
        )
    _refuse_labelled_cells(lines, position, findings)
    findings.omit(lines[position + 1].number, "table rule", "")
    while position < len(lines) and "|" in lines[position].text:
        if not _TABLE_RULE.fullmatch(lines[position].text):
            cells = [cell.strip() for cell in lines[position].text.strip().strip("|").split("|")]
            row = ", ".join(cell for cell in cells if cell)
            yield pause_between(lines[position].number)
            yield words(lines[position].number, row if row.endswith(_ENDED) else f"{row}.")
        position += 1
    if position < len(lines):
        yield pause_between(lines[position].number)
    return position


def _refuse_labelled_cells(lines: Sequence[Line], position: int, findings: Findings) -> None:
    """Cells that begin with speakers' names, as in scripts with a column for the picture."""
    found = []
    for line in itertools.takewhile(lambda line: "|" in line.text, lines[position:]):
        cells = (labels.match("colon", cell) for cell in line.text.strip().strip("|").split("|"))
        if any(cell and cell.strict and kind(cell.name) in (Kind.SPEAKER, Kind.NUMBERED) for cell in cells):
            found.append(line.number)
    if len(found) > 1:
        findings.problem(
            found[0], "has cells that begin with speakers' names; write each such cell on a line of its own"
        )
