"""Alignment of the written text with what is spoken, for subtitles.

An engine may be given other words than the script has ("one third" for "⅓"). Subtitles show the script's
text; their times follow the spoken words.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from pipeline.planning.records import PlannedLine
from pipeline.stitching.timeline import TimelineItem

_LETTER = 60
_DIGIT = 4 * _LETTER
"""A digit is spoken with about four letters."""
_SIGN = 6 * _LETTER
_CAPITAL = 150
"""A letter of an abbreviation, such as "BBC", is spoken by its name."""
_SIGNS = "%$€£¥&+=@#<>~×÷±°½¼¾²³"


@dataclass(frozen=True, slots=True)
class Caption:
    """Text to show, and how long each of its characters is spoken in comparison."""

    text: str
    weights: tuple[int, ...]
    """One for each character; a letter has 60."""
    spoken: tuple[tuple[int, int], ...] = ()
    """Spoken words [first, last) in place of each of its words, counted within the piece."""


class Captions:
    """Captions of a timeline's pieces, taken in order.

    Args:
        written: texts of turns that are spoken in other words, by the turn's index.
        lines: all planned lines, in order; missing segments included.
    """

    def __init__(self, written: Mapping[int, str], lines: Sequence[PlannedLine]) -> None:
        self._turns: dict[int, _Turn] = {}
        for turn, text in written.items():
            spoken = [word for line in lines if line.turn == turn for word in line.text.split()]
            self._turns[turn] = _Turn(text.split(), spoken)

    def of(self, turn: int, spoken: str) -> Caption:
        """The caption of the next spoken words of a turn."""
        found = self._turns.get(turn)
        if found:
            return found.take(len(spoken.split()))
        words = spoken.split(" ")
        return _caption(spoken, map(_weights, words), [(i, i + 1) for i in range(len(words))])

    def skip(self, piece: TimelineItem) -> None:
        """Pass over lines that are missing."""
        for line in piece.lines:
            self.of(line.turn, line.text)


class _Turn:
    """The words of one turn, written and spoken."""

    def __init__(self, written: Sequence[str], spoken: Sequence[str]) -> None:
        self.written, self.spoken = written, spoken
        self.blocks = SequenceMatcher(None, written, spoken, autojunk=False).get_opcodes()
        self.position = 0

    def take(self, count: int) -> Caption:
        begin, self.position = self.position, self.position + count
        first, last = self._place(begin), self._place(self.position)
        text = " ".join(self.written[first:last])
        spoken = [
            (min(max(a - begin, 0), count), min(max(b - begin, 0), count))
            for a, b in map(self._spoken, range(first, last))
        ]
        return _caption(text, (self._spread(i) for i in range(first, last)), spoken)

    def _place(self, spoken: int) -> int:
        """The written word at which a spoken one begins; what is not spoken goes with the words before it."""
        if spoken == 0:
            return 0
        for _, i1, i2, j1, j2 in self.blocks:
            if j1 <= spoken < j2:
                return i1 + (spoken - j1) * (i2 - i1) // (j2 - j1)
        return len(self.written)

    def _spoken(self, index: int) -> tuple[int, int]:
        """Spoken words [first, last) in the place of a written one; at least one if there is any."""
        _, i1, i2, j1, j2 = next(block for block in self.blocks if block[1] <= index < block[2])
        first, last = (j1 + (at - i1) * (j2 - j1) // (i2 - i1) for at in (index, index + 1))
        return (first, last) if last > first else (max(0, first - 1), max(1, first))

    def _spread(self, index: int) -> list[int]:
        """Weights of a written word's characters: their share of the spoken words in its place."""
        tag, i1, i2, j1, j2 = next(block for block in self.blocks if block[1] <= index < block[2])
        word = self.written[index]
        if tag == "equal":
            return _weights(word)
        spoken = sum(sum(_weights(word)) for word in self.spoken[j1:j2])
        return [spoken // sum(map(len, self.written[i1:i2]))] * len(word)


def _caption(text: str, words: Iterable[Sequence[int]], spoken: Sequence[tuple[int, int]]) -> Caption:
    """A text with the weights of its words, which single spaces part."""
    weights: list[int] = []
    for word in words:
        weights += [*([_LETTER] if weights else []), *word]
    return Caption(text, tuple(weights), tuple(spoken))


def _weights(word: str) -> list[int]:
    """Length of each character of a word as spoken, in letters.

    >>> _weights("5%,"), _weights("BBC")
    ([240, 360, 60], [150, 150, 150])
    """
    abbreviation = word.isupper() and 1 < sum(map(str.isalpha, word)) < 6
    return [
        _DIGIT
        if character.isdigit()
        else _SIGN
        if character in _SIGNS
        else _CAPITAL
        if abbreviation and character.isalpha()
        else _LETTER
        for character in word
    ]
