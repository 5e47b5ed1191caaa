"""Records of a read script: turns, and what was found on the way."""

import hashlib
from dataclasses import dataclass, field, fields, replace
from typing import Any

from pipeline.script.words import spoken_words, whole_words

NARRATOR = "Narrator"
SPOKEN = "spoken"
HEADINGS = (SPOKEN, "silent")
"""Ways to treat headings: the narrator reads them, or they are left out."""


@dataclass(frozen=True, slots=True)
class Turn:
    """Words of one speaker up to the next speaker, a blank line or a pause."""

    speaker: str
    text: str
    """Quotes, dashes and white space made plain; has at least one letter or digit."""
    line: int
    """Line on which it begins, from 1; for items of JSON and YAML the number of the item."""
    pause_ms: int = 0
    """Silence asked for before it."""
    continues: bool = False
    """True if a pause or a command cut it from the turn before it: no new breath, no new turn."""
    start_ms: int | None = None
    """Time in the file at which it is to begin; None to follow the turn before it."""
    rate: float = 1.0
    """Factor of the speaking rate."""
    said: tuple["Said", ...] = ()
    """Parts that are spoken in given words, in order."""

    def with_text(self, text: str) -> "Turn":
        """The turn with another text; parts whose words are not in it are lost."""
        found, position = list[Said](), 0
        for said in self.said:
            words = self.text[said.start : said.end]
            start = text.find(words, position)
            if start >= 0:
                position = start + len(words)
                found.append(replace(said, start=start, end=position))
        return replace(self, text=text, said=tuple(found))


@dataclass(frozen=True, slots=True)
class Said:
    """Part of a turn that is spoken in given words."""

    start: int
    end: int
    """Characters [start, end) of the turn's text."""
    kind: str
    """One of `pipeline.script.markup.WORDED`."""
    value: str
    """Words, IPA, or the kind of `say-as`; empty for spelling."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem or a notice at a line. Names speakers and characters, never quotes the script's words."""

    line: int
    reason: str


UNSPEAKABLE_SIGN = "unspeakable sign"
MARKS = frozenset(
    {
        UNSPEAKABLE_SIGN,
        *("footnote mark", "emphasis mark", "heading mark", "link address", "markup tag", "time", "cue time"),
        *("page number", "table rule", "checkbox", "code fence", "symbol", "line number"),
    }
)
"""Kinds of omissions that are signs on paper and no words."""


@dataclass(frozen=True, slots=True)
class Omission:
    """Text that is not spoken, on purpose."""

    line: int
    kind: str
    """A noun: 'stage direction', 'footnote mark', …"""
    text: str

    @property
    def words(self) -> int:
        """Words that would have been spoken; marks have none."""
        return 0 if self.kind in MARKS else spoken_words(self.text)


@dataclass(frozen=True, slots=True)
class ScriptChapter:
    """The start of a chapter."""

    title: str
    turn: int
    """Index of its first turn."""


@dataclass(frozen=True, slots=True)
class BookChapter:
    """A chapter of a book, read or not."""

    title: str
    words: int
    """Words that are spoken if it is read."""
    read: bool
    matter: str
    """'front matter' or 'back matter'; empty for the text itself."""


@dataclass(frozen=True, slots=True)
class Work:
    """The book that a script was made from, as files name it."""

    title: str = ""
    authors: tuple[str, ...] = ()
    series: str = ""
    series_position: str = ""
    language: str = ""
    """Language tag (BCP 47), empty if unknown."""
    cover: bytes = field(default=b"", repr=False)
    cover_type: str = ""
    """Media type of the cover."""

    def record(self) -> dict[str, Any]:
        """Plain JSON values, with the cover's hash in place of its bytes."""
        found = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "cover"}
        return found | {"cover": hashlib.sha256(self.cover).hexdigest() if self.cover else ""}


@dataclass(frozen=True, slots=True)
class Script:
    """A whole script."""

    turns: tuple[Turn, ...]
    form: str = "labels"
    """Form that it was read in: a key of `pipeline.script.form.FORMS`."""
    notices: tuple[Finding, ...] = ()
    omissions: tuple[Omission, ...] = ()
    problems: tuple[Finding, ...] = ()
    """Empty in a script that can be spoken."""
    chapters: tuple[ScriptChapter, ...] = ()
    """In order; the first one may begin after the first turn."""
    work: Work | None = None
    """None if it is no book."""
    voiced: tuple[str, ...] = ()
    """Voices that are named by `[voice:…]`, as speakers of their own."""
    contents: tuple[BookChapter, ...] = ()
    """All chapters of a book, of which `chapters` are read."""
    source: bytes = field(default=b"", repr=False)
    """The EPUB that it was made from; empty for any other."""

    @property
    def speakers(self) -> tuple[str, ...]:
        """In the order in which they first speak."""
        return tuple(dict.fromkeys(turn.speaker for turn in self.turns))

    @property
    def starts_ms(self) -> dict[int, int]:
        """Times at which turns are to begin, by the turn's index."""
        return {i: turn.start_ms for i, turn in enumerate(self.turns) if turn.start_ms is not None}

    @property
    def characters(self) -> int:
        return sum(len(turn.text) for turn in self.turns)

    @property
    def words(self) -> int:
        return sum(whole_words(turn.text) for turn in self.turns)


class Findings:
    """Collects problems, notices and omissions while a script is read."""

    def __init__(self, symbols: str = "refuse", headings: str | None = None, *, timed: bool = False) -> None:
        self.symbols = symbols
        """One of `pipeline.script.plain.SYMBOLS`."""
        self.headings = headings
        """One of `HEADINGS`; None has them read where there are no speakers."""
        self.timed = timed
        """True if each cue of subtitles begins at its time."""
        self.problems: list[Finding] = []
        self._problem_lines: set[int] = set()
        self.notices: list[Finding] = []
        self.omissions: list[Omission] = []
        self.voiced: dict[str, None] = {}
        """Voices that are named by commands, in order."""

    def problem(self, line: int, reason: str) -> None:
        found = Finding(line, reason)
        if found not in self.problems[-3:]:  # the same on the same line once
            self.problems.append(found)
            self._problem_lines.add(line)

    def has_problem(self, line: int) -> bool:
        return line in self._problem_lines

    def notice(self, line: int, reason: str) -> None:
        self.notices.append(Finding(line, reason))

    def omit(self, line: int, kind: str, text: str) -> None:
        self.omissions.append(Omission(line, kind, text))

    def add(self, other: "Findings") -> None:
        """Take the findings of another reading over."""
        self.problems += other.problems
        self._problem_lines |= other._problem_lines
        self.notices += other.notices
        self.omissions += other.omissions
        self.voiced |= other.voiced

    def script(
        self,
        turns: tuple[Turn, ...],
        form: str,
        *,
        chapters: tuple[ScriptChapter, ...] = (),
        work: Work | None = None,
    ) -> Script:
        """The script with all findings in the order of its lines."""
        ordered = [tuple(sorted(found, key=_line)) for found in (self.notices, self.problems)]
        omissions = tuple(sorted(self.omissions, key=lambda omission: omission.line))
        return Script(turns, form, ordered[0], omissions, ordered[1], chapters, work, tuple(self.voiced))


def _line(finding: Finding) -> int:
    return finding.line
