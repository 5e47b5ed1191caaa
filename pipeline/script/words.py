"""Word counts, the unit of segments, frame plans and deadlines."""

import math
import unicodedata

WORDS_PER_CHARACTER = 0.7
"""Words per wide character of scripts without spaces, at about 4.5 characters a second."""


def count_words(text: str) -> float:
    """Count words between white space; a wide character (Chinese, Japanese, Korean) is a part of one.

    >>> count_words("It is late.")
    3.0
    >>> round(count_words('"晚安, Alice!" — Ｂｏｂ'), 1)
    4.4
    """
    if text.isascii():
        return float(len(text.split()))
    wide = sum(map(is_wide, text))
    return sum(map(_words_beside_wide, text.split())) + wide * WORDS_PER_CHARACTER


def _words_beside_wide(word: str) -> int:
    """1 for what has no wide character; a mark that stands beside one takes no time."""
    runs = "".join(" " if is_wide(letter) or _is_wide_mark(letter) else letter for letter in word).split()
    return sum(run == word or any(map(str.isalnum, run)) for run in runs)


def whole_words(text: str) -> int:
    """Rounded up, at least 1.

    >>> whole_words("晚安")
    2
    """
    return max(1, math.ceil(count_words(text)))


def is_wide(letter: str) -> bool:
    return unicodedata.east_asian_width(letter) == "W"


def _is_wide_mark(letter: str) -> bool:
    """A full-width comma; full-width Latin letters make words as others do."""
    return unicodedata.east_asian_width(letter) == "F" and not letter.isalnum()


def spoken_words(text: str) -> int:
    """Words with a letter or digit, for reports; wide characters are counted as in `count_words`.

    >>> spoken_words("Well — it is 5 o'clock!")
    5
    """
    wide = sum(map(is_wide, text)) if not text.isascii() else 0
    if not wide:
        return sum(word[0].isalnum() or any(map(str.isalnum, word)) for word in text.split())
    narrow = "".join(" " if is_wide(letter) else letter for letter in text)
    return spoken_words(narrow) + math.ceil(wide * WORDS_PER_CHARACTER)
