"""Features of which every match of a pattern has one, so that a text without them need not be searched.

A feature is a character, or two in a row. A search without a match takes a microsecond for every 100
characters, and there are many rules. The features are read from the parse tree of the pattern, which is
internal to `re`; Python 3.11 to 3.14 have the same one.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from re import _constants as ops  # type: ignore[attr-defined]  # not in typeshed
from re import _parser as parser  # type: ignore[attr-defined]  # not in typeshed
from typing import Any

DIGITS = frozenset("0123456789")
_CHARACTERS_MAX = 64
"""Most characters of a class that are told apart."""
Strings = frozenset[str]


def features_of(text: str) -> Strings:
    """Characters and pairs of a text; any decimal digit stands for all of ASCII.

    >>> sorted(features_of("aba"))
    ['a', 'ab', 'b', 'ba']
    """
    characters = frozenset(text)
    pairs: Strings = frozenset(map(str.__add__, text, text[1:]))
    digits = not text.isascii() and any(map(str.isdecimal, characters))
    return characters | pairs | DIGITS if digits else characters | pairs


def needs_of(pattern: re.Pattern[str]) -> tuple[Strings, ...]:
    """Derive what a text has wherever a pattern matches: one feature of each set.

    >>> [sorted(need) for need in needs_of(re.compile("(?:Mr|Dr)[.] (?=[0-2])"))]
    [['Dr', 'Mr'], ['. '], ['0', '1', '2']]
    """
    if pattern.flags & re.IGNORECASE:
        return ()
    found = _of(parser.parse(pattern.pattern, pattern.flags))
    return tuple(dict.fromkeys(frozenset(map(_feature, need)) for need in found))


def may_match(needs: Iterable[Strings], features: Strings) -> bool:
    """False if a pattern with these needs matches nowhere in a text with these features."""
    return not any(map(features.isdisjoint, needs))


def _feature(string: str) -> str:
    """Character, or the pair of a longer string that is the rarest in prose."""
    if len(string) == 1:
        return string
    return max(map("".join, pairwise(string)), key=lambda pair: not pair.islower())


def _of(sequence: Any) -> Iterator[Strings]:
    run = ""
    for op, value in sequence:
        if op is ops.LITERAL:
            run += chr(value)
            continue
        if run:
            yield frozenset({run})
            run = ""
        yield from _of_part(op, value)
    if run:
        yield frozenset({run})


def _of_part(op: Any, value: Any) -> Iterator[Strings]:
    if op is ops.IN:
        characters = _characters(value)
        if characters is not None:
            yield characters
    elif op in (ops.MAX_REPEAT, ops.MIN_REPEAT, ops.POSSESSIVE_REPEAT):
        if value[0] >= 1:
            yield from _of(value[2])
    elif op is ops.SUBPATTERN:
        if not value[1] & re.IGNORECASE:
            yield from _of(value[3])
    elif op is ops.ASSERT:
        yield from _of(value[1])
    elif op is ops.ATOMIC_GROUP:
        yield from _of(value)
    elif op is ops.BRANCH:
        best = [max(_of(each), key=_selectivity, default=None) for each in value[1]]
        if None not in best:
            yield frozenset().union(*best)  # type: ignore[arg-type]  # without None


def _selectivity(strings: Strings) -> tuple[int, int]:
    return min(map(len, strings)), -len(strings)


def _characters(members: Any) -> Strings | None:
    """Characters of a class; None if they are many."""
    found: set[str] = set()
    for op, value in members:
        if op is ops.LITERAL:
            found.add(chr(value))
        elif op is ops.RANGE and value[1] - value[0] < _CHARACTERS_MAX:
            found |= set(map(chr, range(value[0], value[1] + 1)))
        elif op is ops.CATEGORY and value is ops.CATEGORY_DIGIT:
            found |= DIGITS
        else:
            return None
    return frozenset(found)
