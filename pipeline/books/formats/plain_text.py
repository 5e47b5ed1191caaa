"""Markdown and plain text: paragraphs and headings, line by line."""

import re
from collections.abc import Iterator, Sequence

import yaml

from pipeline.books.document import CODE, FOOTNOTE, HEADING, REST, TABLE, TEXT, Block, Document, LeftOut
from pipeline.books.headings import HEADING_WORDS_MAX, divided, names_a_chapter
from pipeline.books.limits import Budget
from pipeline.errors import ScriptError

TEXT_CHARACTERS_MAX = 8_000_000
_FRONT_MATTER = re.compile(r"---[ \t]*\n(.{0,16000}?)\n(?:---|\.\.\.)[ \t]*\n", re.DOTALL)
_HEADING = re.compile(r"(#{1,6})[ \t]+(\S.*)")
_UNDERLINE = re.compile(r"(=+|-{2,})[ \t]*")
_RULE = re.compile(r"[ \t]*(?:[-*_=~•·#][ \t]*){3,}|[ \t]*⁂[ \t]*")
_FENCE = re.compile(r"[ \t]{0,3}(`{3,}|~{3,}).*")
_TABLE_RULE = re.compile(r"[ \t]*+\|?(?:[ \t]*+:?-{2,}:?[ \t]*\|)+(?:[ \t]*:?-{2,}:?)?[ \t]*")
_NOTE = re.compile(r"\[\^[^\]\s]{1,40}\]:")
_ITEM = re.compile(r"\A[ \t]*(?:[-*+•][ \t]+|\d{1,4}[.)][ \t]+)(?=\S)")
_QUOTE = re.compile(r"\A(?:[ \t]*>[ \t]?)+")
_GUTENBERG = re.compile(r"\*\*\* ?(START|END) OF (?:THE|THIS) PROJECT GUTENBERG[^\n]*")
_END = re.compile(r"(?:the[ \t]+)?end|fin|finis", re.IGNORECASE)
"""Last words of a book, which are read."""


def read_markdown(text: str, budget: Budget) -> Document:
    """Read Markdown, whose front matter may name title, author, series and language."""
    return _Reader(text, budget, "md").document()


def read_plain_text(text: str, budget: Budget) -> Document:
    """Read plain text with headings: `Chapter 2`, a numeral or a line in capitals between blank lines."""
    return _Reader(text, budget, "text").document()


class _Reader:
    def __init__(self, text: str, budget: Budget, form: str) -> None:
        if len(text) > TEXT_CHARACTERS_MAX:
            raise ScriptError(
                1, f"the text has {len(text):,} characters, more than the {TEXT_CHARACTERS_MAX:,} allowed"
            )
        self.budget, self.form = budget, form
        self.blocks: list[Block] = []
        self.left_out: list[LeftOut] = []
        self.metadata: dict[str, str] = {}
        found = _FRONT_MATTER.match(text) if form == "md" else None
        self.first = found[0].count("\n") if found else 0
        if found:
            self.metadata = _front_matter(found[1])
        self.lines = text.split("\n")[self.first :]

    def document(self) -> Document:
        numbers = iter(range(len(self.lines)))
        paragraph: list[str] = []
        begun = 0
        for number in numbers:
            if number % 1000 == 0:
                self.budget.check_time()
            line = self.lines[number]
            end = self._special(number) if not paragraph or self.form == "md" else None
            if end is None and line.strip() and not self._begins_item(line):
                begun = begun if paragraph else number
                paragraph.append(line)
                continue
            self._paragraph(paragraph, begun)
            paragraph, begun = [], number
            if end is not None:
                for _ in range(number + 1, end):
                    next(numbers)
            elif line.strip():
                paragraph.append(line)
        self._paragraph(paragraph, begun)
        chapters, title = divided(self.blocks, self.left_out, self.metadata.get("title", ""))
        author = self.metadata.get("author", "")
        return Document(
            form=self.form,
            chapters=tuple(chapters),
            title=title,
            authors=(author,) if author else (),
            series=self.metadata.get("series", ""),
            language=self.metadata.get("language", "") or self.metadata.get("lang", ""),
        )

    def _begins_item(self, line: str) -> bool:
        return self.form == "md" and bool(_ITEM.match(line))

    def _special(self, number: int) -> int | None:
        """Take a heading, rule, table or block of code; returns the line behind it, None for text."""
        attempts = (self._marked, self._alone, self._underlined)
        return next((end for attempt in attempts if (end := attempt(number)) is not None), None)

    def _marked(self, number: int) -> int | None:
        line = self.lines[number]
        if self.form != "md":
            return None
        if heading := _HEADING.fullmatch(line):
            return self._heading(number, _without_closing(heading[2]), len(heading[1]))
        if fence := _FENCE.fullmatch(line):
            return self._code(number, fence[1])
        return self._table(number) if "|" in line and _TABLE_RULE.fullmatch(self._below(number)) else None

    def _alone(self, number: int) -> int | None:
        """Take a rule or a heading between blank lines."""
        line = self.lines[number].strip()
        if not line or self._below(number).strip() or (number and self.lines[number - 1].strip()):
            return None
        if _RULE.fullmatch(line):
            self._rest(number)
            return number + 1
        if gutenberg := _GUTENBERG.match(line):
            is_end = gutenberg[1] == "END"
            return self._heading(number, "Project Gutenberg License", 3) if is_end else number + 1
        if self.form == "text" and _is_heading(line):
            return self._heading(number, line, 2 if _is_part(line) else 3)
        return None

    def _underlined(self, number: int) -> int | None:
        line, below = self.lines[number].strip(), self._below(number)
        if not line or len(below.strip()) < 3 or not _UNDERLINE.fullmatch(below):
            return None
        self._heading(number, line, 1 if below.startswith("=") else 2)
        return number + 2

    def _below(self, number: int) -> str:
        return self.lines[number + 1] if number + 1 < len(self.lines) else ""

    def _heading(self, number: int, text: str, level: int) -> int:
        self.blocks.append(Block(HEADING, " ".join(text.split()), self._place(number), level))
        return number + 1

    def _rest(self, number: int) -> None:
        if self.blocks and self.blocks[-1].kind == TEXT:
            self.blocks.append(Block(REST, "", self._place(number)))

    def _code(self, number: int, fence: str) -> int:
        end = next(
            (i for i in range(number + 1, len(self.lines)) if self.lines[i].strip().startswith(fence)),
            len(self.lines) - 1,
        )
        self._omit(CODE, self.lines[number + 1 : end])
        return end + 1

    def _table(self, number: int) -> int:
        end = number
        while end < len(self.lines) and "|" in self.lines[end]:
            end += 1
        self._omit(TABLE, (line.replace("|", " ").strip(" -:") for line in self.lines[number:end]))
        return end

    def _omit(self, kind: str, lines: Iterator[str] | Sequence[str]) -> None:
        self.left_out.append(LeftOut(kind, " ".join(" ".join(lines).split()), len(self.blocks)))

    def _paragraph(self, lines: Sequence[str], begun: int) -> None:
        if not lines:
            return
        if self.form == "md":
            lines = [_QUOTE.sub("", line, count=1) for line in lines]
            lines = [_ITEM.sub("", lines[0], count=1), *lines[1:]]
        text = " ".join(" ".join(lines).split())
        if _NOTE.match(text):
            self._omit(FOOTNOTE, [text])
        elif any(map(str.isalnum, text)):
            self.blocks.append(Block(TEXT, text, self._place(begun)))
        elif text:
            self._rest(begun)

    def _place(self, number: int) -> str:
        return f"line {self.first + number + 1}"


def _without_closing(heading: str) -> str:
    """Words of a Markdown heading without the `#` that may close it.

    >>> [_without_closing(heading) for heading in ("The Stair ##", "Stair # 2", "##")]
    ['The Stair', 'Stair # 2', '#']
    """
    return heading.rstrip("#").rstrip(" \t") or heading[0]


def _is_part(line: str) -> bool:
    return bool(re.match(r"\s*(?:part|book|volume)\b", line, re.IGNORECASE))


def _is_heading(text: str) -> bool:
    """Tell whether a line that stands alone is a heading.

    >>> [_is_heading(text) for text in ("Chapter 2: The Stair", "IV.", "THE LAMP", "It was late.", "THE END")]
    [True, True, True, False, False]
    """
    if text.endswith(("!", "?", ",", ";", ":", '"', "”")) or len(text.split()) > HEADING_WORDS_MAX:
        return False
    if names_a_chapter(text):
        return True
    if _END.fullmatch(text):
        return False
    letters = [letter for letter in text if letter.isalpha()]
    return len(letters) >= 4 and all(letter.isupper() for letter in letters)


def _front_matter(text: str) -> dict[str, str]:
    """Strings of YAML front matter by their names in lower case; none if it is no mapping."""
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError:
        return {}
    if not isinstance(found, dict):
        return {}
    return {
        str(name).lower(): str(value)[:500] for name, value in found.items() if isinstance(value, str | int)
    }
