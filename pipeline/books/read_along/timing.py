"""Times of a book's sentences from the times of the words that were spoken.

Speech has the words in a plain form, some are left out, and numbers may have been spoken in other words, so
the words of a paragraph are aligned with the spoken ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """A word with its time in the audio."""

    text: str
    start_s: float
    end_s: float


def times_of(words: Sequence[str], spoken: Sequence[SpokenWord]) -> list[tuple[float, float] | None]:
    """Start and end (s) of each word of a paragraph; None for one that is not spoken.

    >>> spoken = [SpokenWord("It's", 0.0, 0.2), SpokenWord("ten", 0.3, 0.5), SpokenWord("past.", 0.5, 0.9)]
    >>> times_of(["It’s", "10", "past."], spoken)
    [(0.0, 0.2), (0.3, 0.5), (0.5, 0.9)]
    """
    found: list[tuple[float, float] | None] = [None] * len(words)
    matcher = SequenceMatcher(
        None, [_plain(word) for word in words], [_plain(word.text) for word in spoken], autojunk=False
    )
    for _, i1, i2, j1, j2 in matcher.get_opcodes():
        if j1 == j2:
            continue
        for index in range(i1, i2):
            first = j1 + (index - i1) * (j2 - j1) // (i2 - i1)
            last = max(first + 1, j1 + (index + 1 - i1) * (j2 - j1) // (i2 - i1))
            found[index] = spoken[first].start_s, spoken[last - 1].end_s
    return found


def _plain(word: str) -> str:
    """A word by its letters and digits, which are the same in every form of quotation marks and dashes."""
    return "".join(filter(str.isalnum, word.casefold())) or word
