"""Parts of a segment's text, for takes that are decoded in smaller segments.

The segment, its key and its choice remain: parts are decoded one after another and joined within the take.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from pipeline.canonical_json import canonical_json
from pipeline.engines.protocol import Line, SegmentText
from pipeline.script import sentences
from pipeline.script.words import whole_words


@dataclass(frozen=True, slots=True)
class Part:
    """Part of a segment's text, with slots of its own."""

    text: SegmentText
    first_line: int
    """Index of its first line in the segment; a line may be in two parts."""
    slots: tuple[int, ...]
    """Slot of the segment for each slot of the part."""


def parts(text: SegmentText, count: int) -> list[Part]:
    """Divide a text at its sentences into so many parts of about equal length, or as many as it has."""
    pieces = list(_pieces(text.lines))
    total, done = sum(words for _, _, words in pieces), 0
    groups: list[list[tuple[int, Line, int]]] = [[] for _ in range(min(count, len(pieces)))]
    for place, piece in enumerate(pieces):
        left = len(groups) - (len(pieces) - place)  # each group gets at least one piece
        middle = (2 * done + piece[2]) * len(groups) // (2 * total)
        groups[max(left, min(middle, place))].append(piece)
        done += piece[2]
    return [_part(text, group, number) for number, group in enumerate(filter(None, groups))]


def _pieces(lines: Sequence[Line]) -> Iterator[tuple[int, Line, int]]:
    """Index of the line, sentence and its words."""
    for number, line in enumerate(lines):
        for sentence in sentences.split(line.text):
            yield number, replace(line, text=sentence), max(1, whole_words(sentence))


def _part(text: SegmentText, pieces: Sequence[tuple[int, Line, int]], number: int) -> Part:
    joined: dict[int, Line] = {}
    for index, line, _ in pieces:
        before = joined.get(index)
        joined[index] = line if before is None else replace(line, text=f"{before.text} {line.text}")
    slots = tuple(sorted({line.slot for line in joined.values()}))
    lines = tuple(replace(line, slot=slots.index(line.slot)) for line in joined.values())
    digest = hashlib.sha256(canonical_json([text.seed, "part", number])).digest()
    seed = int.from_bytes(digest[:8], "big") >> 1
    return Part(SegmentText(lines, len(slots), seed), min(joined), slots)
