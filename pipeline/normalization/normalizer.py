"""Application of the rules, by kind."""

import re
from collections.abc import Collection, Mapping
from types import MappingProxyType

from pipeline.normalization import abbreviations, addresses, calendar, numerals, quantities, symbols
from pipeline.normalization.necessary import DIGITS, features_of, may_match, needs_of
from pipeline.normalization.numbers import decimal, digits, ordinal
from pipeline.normalization.rules import KINDS, Found, Rule

RULES: tuple[Rule, ...] = (
    *addresses.RULES,
    *calendar.DATES,
    *calendar.TIMES,
    *symbols.VERSIONS,
    *abbreviations.AMPERSANDS,
    *quantities.MONEY,
    *abbreviations.ABBREVIATIONS,
    *abbreviations.ROMAN,
    *quantities.FRACTIONS,
    *quantities.RANGES,
    *quantities.MEASURES,
    *symbols.SYMBOLS,
    *numerals.ORDINALS,
    *abbreviations.INITIALISMS,
    *numerals.NUMBERS,
)
"""All rules, in the order in which they are applied."""
_NEEDS = {rule.name: needs_of(rule.pattern) for rule in RULES}
_DIGIT = re.compile(r"\d")
_WITHOUT_DIGITS = tuple(rule for rule in RULES if not any(need <= DIGITS for need in _NEEDS[rule.name]))
"""Rules that may find something in a text without a digit."""
Reads = Mapping[str, re.Pattern[str] | None]
"""Rules that an engine needs no help with: the pattern of what it reads right itself, None for all."""
_NOTHING = re.compile(r"(?!)")
_SPACES = re.compile(r"  +|(?<=\s) (?=[.,;:!?])")


def normalized(text: str, kinds: Collection[str] = KINDS, *, reads: Reads = MappingProxyType({})) -> str:
    """Write numbers, dates, addresses and the like in words.

    Args:
        kinds: those of `KINDS` that are written in words.
        reads: rules, by name, whose finds are left to the engine.

    >>> normalized("On 3/15/2024 Henry VIII paid $3.50.")
    'On March fifteenth, twenty twenty-four Henry the eighth paid three dollars and fifty cents.'
    >>> normalized("See p. 12, at 3:30.", ["abbreviation"])
    'See page 12, at 3:30.'
    """
    words, features = text, features_of(text)
    for rule in RULES if _DIGIT.search(text) else _WITHOUT_DIGITS:
        own = reads.get(rule.name, _NOTHING)
        if own is not None and rule.kind in kinds and may_match(_NEEDS[rule.name], features):
            before, words = words, _applied(rule, words, own)
            if words != before:
                features = features_of(words)
    return words if words == text else _SPACES.sub(lambda found: " " if found[0].strip() == "" else "", words)


def _applied(rule: Rule, text: str, own: re.Pattern[str]) -> str:
    def spoken(found: Found) -> str:
        if own.match(found.string, found.start()):
            return found[0]
        words = rule.spoken(found)
        return found[0] if words is None else words

    return rule.pattern.sub(spoken, text)


def read_as(kind: str, text: str) -> str:
    """Words of a text that is of a kind, by the names of SSML's `interpret-as`.

    >>> read_as("ordinal", "5"), read_as("digits", "911"), read_as("cardinal", "1984")
    ('fifth', 'nine one one', 'one thousand nine hundred eighty-four')
    """
    number = text.replace(",", "").strip()
    if kind in ("digits", "telephone"):
        return digits(text) or text
    if kind in ("cardinal", "number") and re.fullmatch(r"-?\d+(\.\d+)?", number):
        return decimal(number)
    if kind == "ordinal" and re.fullmatch(r"\d+(?:st|nd|rd|th)?", number):
        return ordinal(int(re.sub(r"\D", "", number)))
    return normalized(text)
