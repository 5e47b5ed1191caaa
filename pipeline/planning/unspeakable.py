"""Characters that an engine does not speak: a problem, left out with their words, or spelled by name."""

import re
import unicodedata
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from pipeline.engines.protocol import Wording
from pipeline.script.turns import UNSPEAKABLE_SIGN, Omission, Script, ScriptChapter, Turn

ERROR, SKIP, SPELL = UNSPEAKABLE = ("error", "skip", "spell")
"""Ways to treat them."""
TEXT = "unspeakable text"
_NAMED = re.compile(r".*\b(?:LETTER|LIGATURE|SYLLABLE|VOWEL SIGN|SIGN|DIGIT) (.+?)(?: WITH .*)?")
_HOLLOW = re.compile(r"\(\s*\)|\[\s*\]|\"\s*\"")
_BEFORE_MARK = re.compile(r"\s+(?=[,.;:!?)])")

Word = Callable[[Turn], Wording]
"""Writes a turn as the engine is to be given it."""


@dataclass(frozen=True, slots=True)
class Treated:
    """A script whose turns an engine speaks, as far as it could be treated."""

    script: Script
    wordings: tuple[Wording, ...]
    """One for each turn."""
    spelled: tuple[tuple[int, int], ...] = ()
    """Line, and number of characters that are spelled in its turn."""


def treated(script: Script, word: Word, way: str) -> Treated:
    """Word the turns of a script, and treat the characters that the engine does not speak.

    Args:
        way: one of `UNSPEAKABLE`.
    """
    wordings = [word(turn) for turn in script.turns]
    if way == SKIP and any(found.unspeakable for found in wordings):
        return _skipped(script, wordings, word)
    spelled: list[tuple[int, int]] = []
    for index, turn in enumerate(script.turns if way == SPELL else ()):
        if wordings[index].unspeakable:
            text, count = _spelled(turn, wordings[index].unspeakable, word)
            wordings[index] = word(turn.with_text(text))
            spelled.append((turn.line, count))
    return Treated(script, tuple(wordings), tuple(spelled))


def _skipped(script: Script, wordings: Sequence[Wording], word: Word) -> Treated:
    turns: list[Turn | None] = list(script.turns)
    found, omissions = list(wordings), list(script.omissions)
    for index, turn in enumerate(script.turns):
        if not found[index].unspeakable:
            continue
        places = list(_places(turn, found[index].unspeakable, word))
        omissions += [_omission(turn.line, turn.text[start:end]) for start, end in places]
        left = turn.with_text(_without(turn.text, places))
        turns[index] = left if any(map(str.isalnum, left.text)) else None
        found[index] = word(left)
    ordered = tuple(sorted(omissions, key=lambda omission: omission.line))
    there = tuple(wording for turn, wording in zip(turns, found, strict=True) if turn is not None)
    return Treated(replace(_with(script, turns), omissions=ordered), there)


def _with(script: Script, turns: Sequence[Turn | None]) -> Script:
    """A script without some of its turns: pauses stay, chapters and cues begin with what is left."""
    found: list[Turn] = []
    starts: dict[int, int] = {}
    pause_ms, begins = 0, False
    start_ms: int | None = None
    for index, (before, turn) in enumerate(zip(script.turns, turns, strict=True)):
        starts[index] = len(found)
        if before.start_ms is not None or not before.continues:
            start_ms = before.start_ms
        if turn is None:
            pause_ms, begins = max(pause_ms, before.pause_ms), begins or not before.continues
            continue
        continues = turn.continues and not begins
        pause_ms = max(turn.pause_ms, pause_ms)
        found.append(replace(turn, pause_ms=pause_ms, continues=continues, start_ms=start_ms))
        pause_ms, begins, start_ms = 0, False, None
    return replace(script, turns=tuple(found), chapters=_chapters(script.chapters, starts, len(found)))


def _chapters(
    chapters: Sequence[ScriptChapter], starts: dict[int, int], turns: int
) -> tuple[ScriptChapter, ...]:
    """Chapters that still have a turn of their own."""
    moved = [replace(chapter, turn=starts[chapter.turn]) for chapter in chapters]
    ends = [chapter.turn for chapter in moved[1:]] + [turns]
    return tuple(chapter for chapter, end in zip(moved, ends, strict=False) if chapter.turn < end)


def _omission(line: int, text: str) -> Omission:
    return Omission(line, TEXT if any(map(str.isalnum, text)) else UNSPEAKABLE_SIGN, text)


def _without(text: str, places: Sequence[tuple[int, int]]) -> str:
    parts, position = [], 0
    for start, end in places:
        parts.append(text[position:start])
        position = end
    left = _HOLLOW.sub("", " ".join([*parts, text[position:]]))
    return _BEFORE_MARK.sub("", " ".join(left.split()))


def _spelled(turn: Turn, characters: Collection[str], word: Word) -> tuple[str, int]:
    """A turn's text with its unspeakable words letter by letter, and the number of letters that are named."""
    text = turn.text
    parts, position, count = [], 0, 0
    for start, end in _places(turn, characters, word):
        place = text[start:end]
        names = [name_of(letter) if letter in characters else letter for letter in place]
        parts += [text[position:start], " ".join(names)]
        count += sum(letter in characters for letter in place)
        position = end
    return _BEFORE_MARK.sub("", " ".join(" ".join([*parts, text[position:]]).split())), count


def name_of(character: str) -> str:
    """A character's name, as it is spelled.

    >>> [name_of(character) for character in "Жλが★"]
    ['zhe', 'lamda', 'ga', 'black star']
    >>> name_of("晚")
    'ideograph 6 6 5 A'
    """
    name = unicodedata.name(character, "")
    if not name or "IDEOGRAPH" in name:
        return f"{'ideograph' if name else 'character'} {' '.join(f'{ord(character):04X}')}"
    found = _NAMED.fullmatch(name)
    return (found[1] if found else name).lower().replace("-", " ")


def _places(turn: Turn, characters: Collection[str], word: Word) -> Iterator[tuple[int, int]]:
    """First and last position of each word that has such a letter, and of each such sign."""
    text, position = turn.text, 0
    while position < len(text):
        if text[position] not in characters:
            position += 1
            continue
        start, end = _word_around(text, position)
        if word(
            turn.with_text(text[start:end])
        ).unspeakable:  # a letter may be speakable where it stands alone
            yield start, end
        position = end


def _word_around(text: str, position: int) -> tuple[int, int]:
    """The letters of the same kind around a letter; a sign stands alone."""
    kind = _kind(text[position])
    if not kind:
        return position, position + 1
    start, end = position, position + 1
    while start and _kind(text[start - 1]) in (kind, "mark"):
        start -= 1
    while end < len(text) and _kind(text[end]) in (kind, "mark"):
        end += 1
    return start, end


def _kind(character: str) -> str:
    """Kind of a letter: of an alphabet, or of a script whose words may stand without spaces."""
    category = unicodedata.category(character)
    if category[0] == "M":
        return "mark"
    return {"Lu": "cased", "Ll": "cased", "Lt": "cased", "Lm": "mark", "Lo": "other"}.get(category, "")
