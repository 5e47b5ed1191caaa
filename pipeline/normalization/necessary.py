"""Features of which every match of a pattern has one, so that a text without them need not be searched.

A feature is a character, or two in a row. A search without a match takes a microsecond for every 100
characters, and there are many rules. The features are read from the parse tree of the pattern, which is
internal to `re`; Python 3.11 to 3.14 have the same one.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import pairwise
from re import _constants as ops  # type: ignore[attr-defined]  # not in typeshed
from re import _parser as parser  # type: ignore[attr-defined]  # not in typeshed
from typing import Any

DIGITS = frozenset("0123456789")
_CHARACTERS_MAX = 64
"""Most characters of a class that are told apart."""
_PAIRS_MAX = 200
"""Most pairs of a need."""
_WITHOUT_WIDTH = (ops.AT, ops.ASSERT, ops.ASSERT_NOT)
_REPEATS = (ops.MAX_REPEAT, ops.MIN_REPEAT, ops.POSSESSIVE_REPEAT)
Strings = frozenset[str]


@lru_cache(maxsize=8)  # several passes ask for those of one text
def features_of(text: str) -> Strings:
    """Characters and pairs of a text; any decimal digit stands for all of ASCII.

    >>> sorted(features_of("aba"))
    ['a', 'ab', 'b', 'ba']
    """
    characters = frozenset(text)
    pairs: Strings = frozenset(map(str.__add__, text, text[1:]))
    if text.isascii() or not any(map(str.isdecimal, characters)):
        return characters | pairs
    plain = "".join("0" if letter.isdecimal() and not letter.isascii() else letter for letter in text)
    return characters | pairs | DIGITS | frozenset(map(str.__add__, plain, plain[1:]))


def needs_of(pattern: re.Pattern[str]) -> tuple[Strings, ...]:
    """Derive what a text has wherever a pattern matches: one feature of each set.

    >>> [sorted(need) for need in needs_of(re.compile("(?:Mr|Dr)[.] (?=[0-2])"))]
    [['r.'], ['. '], ['Dr', 'Mr'], ['0', '1', '2']]
    """
    if pattern.flags & re.IGNORECASE:
        return ()
    found = _of(parser.parse(pattern.pattern, pattern.flags))
    needs = dict.fromkeys(frozenset(map(_feature, need)) for need in found)
    return tuple(sorted(needs, key=_cost))


def may_match(needs: Iterable[Strings], features: Strings) -> bool:
    """False if a pattern with these needs matches nowhere in a text with these features."""
    return not any(map(features.isdisjoint, needs))


def _feature(string: str) -> str:
    """Character, or the pair of a longer string that is the rarest in prose."""
    if len(string) == 1:
        return string
    return max(map("".join, pairwise(string)), key=lambda pair: not pair.islower())


def _cost(need: Strings) -> tuple[bool, int]:
    """Order of the checks: pairs first, which few texts have, and small sets before large ones."""
    return min(map(len, need)) < 2, len(need)


def _of(sequence: Any) -> Iterator[Strings]:
    yield from _neighbours(sequence)
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
    elif op in _REPEATS:
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


def _neighbours(sequence: Any) -> Iterator[Strings]:
    """Pairs of the last character of a part and the first one of the next, where both are of few."""
    last: Strings | None = None
    for op, value in sequence:
        if op in _WITHOUT_WIDTH:
            continue
        first, end = _edge_of_part(op, value, _first), _edge_of_part(op, value, _last)
        if _is_optional(op, value):
            last = None if last is None or end is None else last | end
            continue
        if last is not None and first is not None and len(last) * len(first) <= _PAIRS_MAX:
            yield frozenset(one + other for one in last for other in first)
        last = end


def _is_optional(op: Any, value: Any) -> bool:
    """True for a part that may match no character, as assertions do."""
    if op in _REPEATS:
        return bool(value[0] == 0) or _may_be_empty(value[2])
    if op is ops.SUBPATTERN:
        return _may_be_empty(value[3])
    if op is ops.ATOMIC_GROUP:
        return _may_be_empty(value)
    if op is ops.BRANCH:
        return any(map(_may_be_empty, value[1]))
    return op not in (ops.LITERAL, ops.NOT_LITERAL, ops.IN, ops.ANY)


def _may_be_empty(sequence: Any) -> bool:
    return all(_is_optional(*part) for part in sequence)


def _first(sequence: Any) -> Strings | None:
    """First characters of the matches of a sequence; None if they are many, or there may be none."""
    return _edge(sequence, _first)


def _last(sequence: Any) -> Strings | None:
    """Last characters, as `_first` has it."""
    return _edge(list(sequence)[::-1], _last)


def _edge(parts: Any, edge: Callable[[Any], Strings | None]) -> Strings | None:
    """Characters of the first of some parts that is not optional, and of those before it."""
    found: Strings = frozenset()
    for op, value in parts:
        if op in _WITHOUT_WIDTH:
            continue
        own = _edge_of_part(op, value, edge)
        if own is None:
            return None
        found |= own
        if not _is_optional(op, value):
            return found if len(found) <= _CHARACTERS_MAX else None
    return None


def _edge_of_part(op: Any, value: Any, edge: Callable[[Any], Strings | None]) -> Strings | None:
    if op is ops.LITERAL:
        return frozenset(chr(value))
    if op is ops.IN:
        return _characters(value)
    if op is ops.BRANCH:
        own = [edge(each) for each in value[1]]
        return None if None in own else frozenset[str]().union(*own)  # type: ignore[arg-type]  # without None
    inner = _inner(op, value)
    return None if inner is None else edge(inner)


def _inner(op: Any, value: Any) -> Any | None:
    """Sequence within a group or a repetition; None for other parts, and groups without regard to case."""
    if op in _REPEATS:
        return value[2]
    if op is ops.SUBPATTERN:
        return None if value[1] & re.IGNORECASE else value[3]
    return value if op is ops.ATOMIC_GROUP else None


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
