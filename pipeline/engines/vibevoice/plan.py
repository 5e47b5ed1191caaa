"""How long a segment will be, known before it is spoken."""

import math
import unicodedata
from collections.abc import Iterable

FRAMES_PER_WORD = 2.4
"""At 7.5 frames a second, about 190 words a minute."""
WORDS_PER_CHARACTER = 0.7
"""Of scripts that write no spaces, at about 4.5 characters a second."""
FRAMES_MIN = 8
RUNAWAY = 2.0
"""A segment is cut at so many times its expected length, and no sooner than ten seconds."""
FRAMES_CAP_MIN = 75


def count_words(texts: Iterable[str]) -> float:
    """Words as they take time to speak.

    >>> count_words(["It is late.", "Good night!"])
    5.0
    >>> round(count_words(["晚安"]), 1)
    1.4
    """
    words = 0.0
    for text in texts:
        dense = sum(unicodedata.east_asian_width(letter) == "W" for letter in text)
        spaced = "".join(" " if unicodedata.east_asian_width(letter) in "WF" else letter for letter in text)
        words += len(spaced.split()) + dense * WORDS_PER_CHARACTER
    return words


def frames(words: float) -> tuple[int, int]:
    """Expected frames, and the most that will be decoded.

    >>> frames(200)
    (480, 960)
    """
    expected = max(FRAMES_MIN, math.ceil(words * FRAMES_PER_WORD))
    return expected, max(FRAMES_CAP_MIN, math.ceil(expected * RUNAWAY))
