"""Rules of normalisation: one pattern and its words, with a name and a kind."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

KINDS = (
    *("address", "phone", "date", "time", "currency", "unit", "range", "fraction", "ordinal", "roman"),
    *("abbreviation", "initialism", "symbol", "number"),
)
"""Kinds that can be switched; `address` has e-mail, URLs, hashtags and handles."""
Found = re.Match[str]


@dataclass(frozen=True, slots=True)
class Rule:
    """Words for one form of writing."""

    name: str
    kind: str
    pattern: re.Pattern[str]
    spoken: Callable[[Found], str | None]
    """Words in place of a find; None leaves it as it is."""


def rule(
    name: str, kind: str, pattern: str, spoken: Callable[[Found], str | None], *, flags: int = 0
) -> Rule:
    return Rule(name, kind, re.compile(pattern, flags), spoken)


def one_of(words: Sequence[str]) -> str:
    """Pattern of any of the words, longer ones first.

    >>> one_of(["a.", "ab"])
    'a\\\\.|ab'
    """
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


NUMBER = r"\d+(?:,\d{3})*(?:\.\d+)?"
"""A number with separators of thousands and decimals."""
_VOWELS = set("aeiouyAEIOUY")


def letters(text: str) -> str:
    """Letters that are spoken by their names.

    >>> letters("bbc")
    'B B C'
    """
    return " ".join(text.upper())


def is_pronounceable(word: str) -> bool:
    """Tell whether a word has a vowel, or is too long to be spelled."""
    return len(word) > 5 or bool(_VOWELS & set(word))
