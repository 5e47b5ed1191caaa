"""Normalisation of written and recognised words, so that only what is spoken differently differs.

Words become tokens (case, punctuation and hyphens removed), each with the index of its word. Stretches of
tokens that still differ are compared in a canonical form: Whisper's normaliser for English (numbers, dates,
currencies, contractions, spelling variants), without spaces.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from pipeline.checking.full import packages

_PARTS = re.compile(r"[-‐-―/_]+")
_SOUNDLESS = re.compile(r"(?<!\d)[^\w%$€£¥&+]+|[^\w%$€£¥&+]+(?!\d)|,")
"""Characters that are not spoken; a point between digits is."""
_PERCENT = re.compile(r"(?<=\d)%")
_ONE = re.compile(r"\bone(?=\.\d)")
"""A number that Whisper's normaliser leaves, since it is mostly a pronoun."""
_FILLERS = frozenset(("uh", "um", "hm", "hmm", "mm", "mmm", "uhm", "er", "erm", "ah", "huh", "mhm"))
"""English fillers, which recognisers leave out."""


@dataclass(frozen=True, slots=True)
class Token:
    """Part of a word that is compared."""

    text: str
    word: int
    """Index of the word."""


def tokens(words: Sequence[str], language: str) -> list[Token]:
    """Tokens of words.

    >>> [token.text for token in tokens("The ten-year “plan”, uh, I'm at 5.3%.".split(), "en")]
    ['the', 'ten', 'year', 'plan', 'im', 'at', '5.3', 'percent']
    """
    found = []
    for index, word in enumerate(words):
        plain = _PERCENT.sub("-%", unicodedata.normalize("NFKC", word).casefold())
        for part in _PARTS.split(plain):
            text = _SOUNDLESS.sub("", part)
            if language == "en":
                text = "" if text in _FILLERS else "percent" if text == "%" else text
            if text:
                found.append(Token(text, index))
    return found


def spoken_alike(written: Sequence[str], heard: Sequence[str], language: str) -> float:
    """Likeness of two stretches of tokens in canonical form, 0 to 1; 1 for the same words.

    >>> spoken_alike(["twenty", "fifteen"], ["2015"], "en")
    1.0
    """
    from rapidfuzz import fuzz

    first, second = (canonical(" ".join(part), language) for part in (written, heard))
    if not first or not second:
        return 0.0 if first or second else 1.0
    return float(fuzz.ratio(first, second)) / 100


@lru_cache(maxsize=4096)
def canonical(text: str, language: str) -> str:
    """Canonical form of a text, without spaces.

    >>> canonical("the colour of a metre", "en") == canonical("the color of a meter", "en")
    True
    """
    return "".join(canonical_words(text, language))


def canonical_words(text: str, language: str) -> list[str]:
    """Words of a text in canonical form, by which word error rates are counted."""
    plain: str = (_english() if language == "en" else _other())(text)
    return _ONE.sub("1", plain).split()


@cache
def _english() -> Any:
    packages.need("whisper-normalizer", "whisper_normalizer")
    from whisper_normalizer.english import EnglishTextNormalizer

    return EnglishTextNormalizer()


@cache
def _other() -> Any:
    packages.need("whisper-normalizer", "whisper_normalizer")
    from whisper_normalizer.basic import BasicTextNormalizer

    return BasicTextNormalizer()
