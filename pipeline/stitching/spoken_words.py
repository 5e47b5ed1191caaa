"""Words as they are spoken in place of each written word, for the word times."""

import re
from collections.abc import Callable, Sequence
from difflib import SequenceMatcher

Read = Callable[[str], str]
"""Words that an engine's own reading makes of the text that it is given."""
_SOUNDS = re.compile(r"\[([^\[\]]*)\]\(/[^()]*/\)")
"""A word with its phonemes."""


def spoken_words(
    written: Sequence[str], given: Sequence[str], places: Sequence[tuple[int, int]], read: Read
) -> list[str | None]:
    """Words spoken in place of each written word; None where it is spoken as it is written.

    Args:
        given: the words that the engine was given.
        places: given words [first, last) in place of each written one.
        read: the engine's own reading of numbers and the like.

    >>> from pipeline.normalization.normalizer import normalized
    >>> written = given = "It cost $4 million in 2015.".split()
    >>> spoken_words(written, given, [(i, i + 1) for i in range(6)], normalized)
    [None, None, 'four', 'million dollars', None, 'twenty fifteen.']
    """
    text = _SOUNDS.sub(r"\1", " ".join(given))
    plain, spoken = text.split(), read(text).split()
    ranges = _ranges(plain, spoken)
    found: list[str | None] = []
    for word, (first, last) in zip(written, places, strict=True):
        start = ranges[first][0] if first < len(ranges) else len(spoken)
        end = ranges[min(last, len(ranges)) - 1][1] if last > first else start
        words = " ".join(spoken[start:end])
        found.append(None if words in (word, "") else words)
    return found


def _ranges(before: Sequence[str], after: Sequence[str]) -> list[tuple[int, int]]:
    """Words [first, last) in place of each word; together they are all of them, in order."""
    if before == after:
        return [(i, i + 1) for i in range(len(before))]
    ranges: list[tuple[int, int]] = []
    for _, i1, i2, j1, j2 in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        for i in range(i1, i2):
            ranges.append(
                (j1 + (i - i1) * (j2 - j1) // (i2 - i1), j1 + (i + 1 - i1) * (j2 - j1) // (i2 - i1))
            )
        if i1 == i2 and ranges:
            ranges[-1] = (ranges[-1][0], j2)
    return ranges
