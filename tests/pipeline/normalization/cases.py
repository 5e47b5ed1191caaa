"""The table of 200 texts as written and as read aloud, `cases.tsv`."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pipeline.script.parser import parse

CASES = 200
RIGHT_MIN = 190
"""Least number of cases that are read right."""
_CHOICE = re.compile(r"\(([^()]*)\)")
_SOUNDLESS = re.compile(r"[^\w' ]")


@dataclass(frozen=True, slots=True)
class Case:
    """One text with all its right readings, in words."""

    kind: str
    written: str
    readings: tuple[str, ...]

    @property
    def text(self) -> str:
        """The text as a script's turn, with emoji by their names."""
        (turn,) = parse(self.written, symbols="name").turns
        return turn.text


@cache
def cases() -> tuple[Case, ...]:
    lines = Path(__file__).with_name("cases.tsv").read_text().splitlines()
    rows = [line.split("\t") for line in lines if line and not line.startswith("#")]
    return tuple(Case(kind, written, tuple(readings(spoken))) for kind, written, spoken in rows)


def readings(pattern: str) -> list[str]:
    """All readings of a pattern, in which `(a|b)` is one of two.

    >>> readings("one (hundred|hundred and) five")
    ['one hundred five', 'one hundred and five']
    """
    choice = _CHOICE.search(pattern)
    if choice is None:
        return [" ".join(pattern.split())]
    return [
        reading
        for words in choice[1].split("|")
        for reading in readings(pattern[: choice.start()] + words + pattern[choice.end() :])
    ]


def words(text: str) -> list[str]:
    """Words without case, punctuation and hyphens.

    >>> words("It's twenty-one.")
    ["it's", 'twenty', 'one']
    """
    return _SOUNDLESS.sub(" ", text.lower().replace("-", " ")).split()
