"""Difference between the turns of two scripts: the turns that only one of them has, in order.

Turns that occur once in both scripts anchor the comparison, so that its time grows with the
number of turns. Stretches between anchors are compared by `difflib`, unless they are long.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

_COMPARED_MAX = 200
"""Most turns of a stretch without anchors that are compared one by one; longer ones differ as a whole."""


@dataclass(frozen=True, slots=True)
class Change:
    """Turns of the first script in whose place the second script has others; either side may be empty."""

    start_a: int
    """Index of the first turn, also where there is none on this side."""
    end_a: int
    start_b: int
    end_b: int


def changes(a: Sequence[Hashable], b: Sequence[Hashable]) -> list[Change]:
    """Compare two sequences of turns.

    >>> changes("abcd", "axcde")
    [Change(start_a=1, end_a=2, start_b=1, end_b=2), Change(start_a=4, end_a=4, start_b=4, end_b=5)]
    >>> changes("ab", "ab")
    []
    """
    found: list[Change] = []
    at_a = at_b = 0
    for next_a, next_b in (*_anchors(a, b), (len(a), len(b))):
        found += _between(a, b, Change(at_a, next_a, at_b, next_b))
        at_a, at_b = next_a + 1, next_b + 1
    return found


def _anchors(a: Sequence[Hashable], b: Sequence[Hashable]) -> list[tuple[int, int]]:
    """Places of turns that occur once in both, as many as keep their order."""
    once_a, once_b = _once(a), _once(b)
    shared = [(place, once_b[turn]) for turn, place in once_a.items() if turn in once_b]
    ends: list[int] = []
    """Least end in b of a chain, by its length."""
    numbers: list[int] = []
    """Number of the pair at that end."""
    before: list[int] = []
    """Number of the pair before each pair in its chain; -1 for the first one."""
    for number, (_, place) in enumerate(shared):
        length = bisect_left(ends, place)
        before.append(numbers[length - 1] if length else -1)
        ends[length : length + 1] = [place]
        numbers[length : length + 1] = [number]
    chain: list[tuple[int, int]] = []
    last = numbers[-1] if numbers else -1
    while last >= 0:
        chain.append(shared[last])
        last = before[last]
    return chain[::-1]


def _once(turns: Sequence[Hashable]) -> dict[Hashable, int]:
    counts = Counter(turns)
    return {turn: place for place, turn in enumerate(turns) if counts[turn] == 1}


def _between(a: Sequence[Hashable], b: Sequence[Hashable], stretch: Change) -> Iterator[Change]:
    """Changes within a stretch that has no anchors."""
    one, other = a[stretch.start_a : stretch.end_a], b[stretch.start_b : stretch.end_b]
    if max(len(one), len(other)) > _COMPARED_MAX:
        if list(one) != list(other):
            yield stretch
        return
    for kind, start_a, end_a, start_b, end_b in SequenceMatcher(None, one, other).get_opcodes():
        if kind != "equal":
            yield Change(
                stretch.start_a + start_a,
                stretch.start_a + end_a,
                stretch.start_b + start_b,
                stretch.start_b + end_b,
            )
