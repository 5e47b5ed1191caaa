"""Rules of normalisation: one pattern and its words, with a name and a kind; the choice of kinds."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipeline.errors import OptionError

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
SCALES = {
    **{"k": "thousand", "K": "thousand", "m": "million", "M": "million", "mn": "million", "b": "billion"},
    **{"B": "billion", "bn": "billion", "tn": "trillion"},
}
"""Scales by the signs behind a number."""
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


def kinds_of(given: str) -> frozenset[str]:
    """Parse the kinds of an option: `all`, `none`, or names with commas; `-name` takes one away.

    Raises:
        OptionError: there is no such kind.

    >>> sorted(kinds_of("date,time")), kinds_of("none"), "date" in kinds_of("-date")
    (['date', 'time'], frozenset(), False)
    """
    names = [name.strip().lower() for name in given.split(",") if name.strip()]
    unknown = [name for name in names if name.lstrip("-") not in (*KINDS, "all", "none")]
    if unknown or not names:
        shown = unknown[0][:40] if unknown else given[:40]
        raise OptionError("normalize", f"{shown!r} is unknown; there are all, none, {', '.join(KINDS)}")
    found = set(KINDS) if names[0] == "all" or names[0].startswith("-") else set[str]()
    for name in names:
        if name.startswith("-"):
            found.discard(name[1:])
        elif name in KINDS:
            found.add(name)
    return frozenset(found)
