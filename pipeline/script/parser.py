r"""Scripts as people write them, to turns. Nothing is dropped: what can't be spoken is an error.

Three forms: lines `Alice: words` or `Speaker 1: words` with continuation lines; JSON
`[{"speaker": "Alice", "text": "words"}]`; plain prose, which one narrator reads. `[pause:800ms]` and
`[pause:1.5s]` ask for silence. A backslash before a line keeps its first words from being a speaker.

>>> [(t.speaker, t.text, t.pause_ms) for t in parse("Alice: Hi!\nBob: One.[pause:1.5s] Two.\n  Three.").turns]
[('Alice', 'Hi!', 0), ('Bob', 'One.', 0), ('Bob', 'Two. Three.', 1500)]
"""

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pipeline.errors import ScriptError
from pipeline.script.words import is_wide, whole_words

NARRATOR = "Narrator"
CHARACTERS_MAX = 2_000_000
PAUSE_MAX_MS = 60_000

_LINE_ENDS = re.compile("[\n\x85\u2028\u2029]")
_NUMBERED = re.compile(r"\s*speaker\s+(\d{1,3})\s*[:：](.*)", re.IGNORECASE | re.DOTALL)
_NAME = r"\s*([^\W\d_][^\s:：()（）\[\]]*(?:\s+[^\s:：()（）\[\]]+){0,3})\s*"
_NAMED = re.compile(_NAME + r"(?::(?=\s|$)|：)(.*)", re.DOTALL)
_NEARLY_NAMED = re.compile(_NAME + r"(?:(?:\([^()]*\)|（[^（）]*）|\[[^\[\]]*\])\s*)?[:：](?!//)")
_NAME_MARKS = ".'_·・-"
_NAME_WIDE_MAX = 12
"""More characters of a script without white space are words before a colon."""
_BRACKET = re.compile(r"\[\s*(pause[^\]\n]*)\]?", re.IGNORECASE)
_PAUSE = re.compile(r"pause\s*:\s*(\d+(?:\.\d+)?)\s*(ms|s)\s*", re.IGNORECASE)
_PLAIN = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛ʼ`´′", "'"),
        **dict.fromkeys("“”„‟«»″", '"'),
        **dict.fromkeys("‐‑‒−", "-"),
        **dict.fromkeys("–―", "—"),
        "…": "...",
        "℃": "°C",
        "℉": "°F",
        **dict.fromkeys("\u00ad\u200b\u200c\u200d\u2060\ufeff\ufe0f™©®", None),
        **dict.fromkeys("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069", None),
    }
)


@dataclass(frozen=True, slots=True)
class Turn:
    """What one speaker says until the next speaker, a blank line or a pause."""

    speaker: str
    text: str
    """Quotes, dashes and white space made plain; has at least one letter or digit."""
    line: int
    """Where it begins, from 1; for the JSON form the number of the item."""
    pause_ms: int = 0
    """Silence asked for before it."""
    continues: bool = False
    """Whether a pause cut it from the turn before it: no new breath, no new turn."""


@dataclass(frozen=True, slots=True)
class Script:
    """A whole script, checked."""

    turns: tuple[Turn, ...]

    @property
    def speakers(self) -> tuple[str, ...]:
        """In the order in which they first speak."""
        return tuple(dict.fromkeys(turn.speaker for turn in self.turns))

    @property
    def characters(self) -> int:
        return sum(len(turn.text) for turn in self.turns)

    @property
    def words(self) -> int:
        return sum(whole_words(turn.text) for turn in self.turns)


def parse(source: str | bytes | list[Any], *, characters_max: int = CHARACTERS_MAX) -> Script:
    """Read a script in any of the three forms.

    Raises:
        ScriptError: it is empty, too long, not UTF-8, or has a line that can't be spoken as written.
    """
    text = "" if isinstance(source, list) else _text(source)
    _refuse_long(len(text), characters_max)
    items = source if isinstance(source, list) else _items(text)
    script = Script(tuple(_turns(_from_lines(text) if items is None else _from_json(items))))
    if not script.turns:
        raise ScriptError(1, "the script is empty")
    _refuse_long(script.characters, characters_max)
    return script


def plain(text: str, line: int) -> str:
    """Typographic variants made plain, white space folded.

    >>> plain("“It’s  fine” – he said…", 1)
    '"It\\'s fine" — he said...'

    Raises:
        ScriptError: a character that nobody can read aloud.
    """
    text = _plain_letters(text)
    for character in text:
        category = unicodedata.category(character)
        if category in ("Cc", "Cs", "Co", "Cn", "So") and character != "°" and not character.isspace():
            name = unicodedata.name(character, f"U+{ord(character):04X}")
            raise ScriptError(line, f"has a character that can't be spoken ({name.lower()})")
    return " ".join(text.split())


def _plain_letters(text: str) -> str:
    """Composed again at the end: what is left out may have stood between a letter and its accent."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).translate(_PLAIN))


def _refuse_long(characters: int, characters_max: int) -> None:
    if characters > characters_max:
        raise ScriptError(1, f"has {characters:,} characters, more than the {characters_max:,} allowed")


def _text(source: str | bytes) -> str:
    if isinstance(source, bytes):
        try:
            text = source.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = source.count(b"\n", 0, error.start) + 1
            raise ScriptError(line, f"byte 0x{source[error.start]:02x} is not UTF-8") from None
    else:
        text = source
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def _items(text: str) -> list[Any] | None:
    """The items of the JSON form; None for the other forms. `[pause:1s]` at the top is not JSON."""
    stripped = text.lstrip()
    if not re.match(r"\[\s*[\[{\]]", stripped):
        return None
    try:
        items = json.loads(stripped)
    except json.JSONDecodeError as error:
        offset = text.count("\n", 0, len(text) - len(stripped))
        raise ScriptError(error.lineno + offset, f"begins like JSON but is not: {error.msg}") from None
    except ValueError:  # Python reads no number with thousands of digits
        raise ScriptError(1, "begins like JSON but has a number that is too long") from None
    except RecursionError:
        raise ScriptError(1, "begins like JSON but is nested too deeply") from None
    return list(items)


@dataclass(frozen=True, slots=True)
class _Mark:
    """One thing in a script, in order: 'speaker', 'words', 'pause', 'break' (a blank line) or 'end'."""

    line: int
    kind: str
    text: str = ""
    pause_ms: int = 0


_Label = tuple[str, str]
"""A speaker's name and the words behind it."""


def _from_json(items: list[Any]) -> Iterator[_Mark]:
    for number, item in enumerate(items, 1):
        if not isinstance(item, dict):
            raise ScriptError(number, f"item {number} is not an object with a speaker and a text")
        unknown = sorted(set(map(str, item)) - {"speaker", "text"})
        if unknown:
            raise ScriptError(number, f"item {number} has another key; an item has a speaker and a text")
        speaker, text = item.get("speaker", NARRATOR), item.get("text")
        if isinstance(speaker, int) and not isinstance(speaker, bool):
            speaker = f"Speaker {speaker}"
        if not isinstance(speaker, str) or not plain(speaker, number):
            raise ScriptError(number, f"item {number}: the speaker is not a name")
        if not isinstance(text, str):
            raise ScriptError(number, f"item {number}: the text is not a string")
        bare = re.fullmatch(r"\s*(?:speaker\s+)?(\d{1,3})\s*", speaker, re.IGNORECASE)
        yield _Mark(number, "speaker", f"Speaker {int(bare[1])}" if bare else plain(speaker, number))
        for line in text.split("\n"):
            yield from _pieces(number, line)


def _from_lines(text: str) -> Iterator[_Mark]:
    lines = list(enumerate(_LINE_ENDS.split(_plain_letters(text)), 1))
    labels = _labels(lines)
    known = {name.casefold() for name, _ in labels.values()}
    for number, line in lines:
        if not line.strip():
            yield _Mark(number, "break")
            continue
        named = labels.get(number)
        if named:
            yield _Mark(number, "speaker", named[0])
        else:
            _refuse_nearly_named(number, line, known)
        yield from _pieces(number, named[1] if named else re.sub(r"^(\s*)\\", r"\1", line))


def _refuse_nearly_named(number: int, line: str, known: set[str]) -> None:
    """
    Raises:
        ScriptError: it begins with a speaker and a colon, but not as a speaker's line does.
    """
    match = _NEARLY_NAMED.match(line)
    name = " ".join(match[1].split()) if match else ""
    if name.casefold() in known or re.fullmatch(r"speaker \d+", name, re.IGNORECASE):
        raise ScriptError(
            number,
            "begins like a speaker's line; write the name, a colon and a space before the words, or a "
            "backslash before the name if it is to be read aloud",
        )


def _labels(lines: list[tuple[int, str]]) -> dict[int, _Label]:
    """The lines with a speaker, by their numbers; none if the script is prose.

    Names count as speakers where one of them returns or every paragraph begins with one: in prose a line
    may well begin with "Remember:", and it must be heard.

    Raises:
        ScriptError: words stand before the first speaker.
    """
    spoken = [(number, line) for number, line in lines if not _only_pauses(line)]
    blank = {0} | {number for number, line in lines if not line.strip()}
    for label in (_numbered, _named):
        found = _speaking({number: named for number, line in spoken if (named := label(line))})
        if not found:
            continue
        first = spoken[0][0]
        sure = label is _numbered or len({name for name, _ in found.values()}) < len(found)
        if sure or all(number in found for number, _ in spoken if number - 1 in blank):
            if first not in found:
                raise ScriptError(
                    first, f"has no speaker, but line {min(found)} has one; begin with a speaker"
                )
            return found
        if first not in found and len(found) * 2 >= len(spoken):
            raise ScriptError(first, f"has no speaker, but line {min(found)} has one; begin with a speaker")
    return {}


def _speaking(found: dict[int, _Label]) -> dict[int, _Label]:
    """Without the "names" that never have more than a quotation behind them, where there are no capitals.

    In Latin script only a name is taken for a speaker, and "He said:" is not; prose in Chinese says
    `小明说：“你好。”` the same way.
    """
    names = {name for name, words in found.values() if not (_has_no_case(name) and _is_quotation(words))}
    return {number: label for number, label in found.items() if label[0] in names}


def _has_no_case(name: str) -> bool:
    return name.lower() == name.upper()


def _is_quotation(words: str) -> bool:
    return words.lstrip().startswith(('"', "'", "「", "『"))


def _numbered(line: str) -> _Label | None:
    """`Speaker 1: words` to a canonical name and the words."""
    match = _NUMBERED.fullmatch(line)
    return (f"Speaker {int(match[1])}", match[2]) if match else None


def _named(line: str) -> _Label | None:
    """`Alice: words` to the name and the words: at most four words, each with a capital or a digit."""
    match = _NAMED.fullmatch(line)
    words = match[1].split() if match else []
    if not match or not all(map(_is_name, words)) or sum(map(is_wide, match[1])) > _NAME_WIDE_MAX:
        return None
    return " ".join(words), match[2]


def _is_name(word: str) -> bool:
    """A capital, a digit or a letter of a script without capitals, and then what names are made of."""
    first = word[0].isalnum() and word[0] == word[0].title()
    return first and all(
        letter.isalnum() or letter in _NAME_MARKS or unicodedata.category(letter).startswith("M")
        for letter in word
    )


def _only_pauses(line: str) -> bool:
    return not _BRACKET.sub("", line).strip()


def _turns(marks: Iterable[_Mark]) -> Iterator[Turn]:
    """Fold the marks of a script into turns.

    Raises:
        ScriptError: a speaker without words, words that can't be spoken, a pause with nothing after it.
    """
    speaker, pause_ms, continues, silent_since = NARRATOR, 0, False, 0
    words: list[tuple[int, str]] = []
    last = 0
    for mark in (*marks, _Mark(0, "end")):
        if mark.kind == "words":
            words.append((mark.line, mark.text))
            last = mark.line
            continue
        turn = _turn(speaker, words, pause_ms, continues)
        words = []
        if turn:
            yield turn
            pause_ms, continues, silent_since = 0, True, 0
        if mark.kind == "pause":
            pause_ms = _sum(pause_ms, mark.pause_ms, mark.line)
            last, silent_since = mark.line, 0
            continue
        continues = False
        if silent_since and mark.kind != "break":
            raise ScriptError(silent_since, "the speaker has nothing to say")
        if mark.kind == "speaker":
            speaker, silent_since = mark.text, mark.line
    if pause_ms:
        raise ScriptError(last, "a pause at the end of the script has nothing after it")


def _turn(speaker: str, words: list[tuple[int, str]], pause_ms: int, continues: bool) -> Turn | None:
    parts = [(number, plain(text, number)) for number, text in words]
    parts = [(number, text) for number, text in parts if text]
    if not parts:
        return None
    text = " ".join(part for _, part in parts)
    if not any(character.isalnum() for character in text):
        raise ScriptError(parts[0][0], "has no word in it; for silence write [pause:1s]")
    return Turn(speaker, text, parts[0][0], pause_ms, continues)


def _pieces(number: int, line: str) -> Iterator[_Mark]:
    """Words and pauses in the order of the line."""
    end = 0
    for match in _BRACKET.finditer(line):
        yield _Mark(number, "words", line[end : match.start()])
        end = match.end()
        pause = _PAUSE.fullmatch(match[1])
        if not pause or not match[0].endswith("]"):
            raise ScriptError(
                number, "has a [pause…] that is not a pause; write [pause:800ms] or [pause:1.5s]"
            )
        asked_ms = float(pause[1]) * (1 if pause[2].lower() == "ms" else 1000)
        milliseconds = round(min(asked_ms, PAUSE_MAX_MS + 1))  # hundreds of digits are infinity
        if not 0 < milliseconds <= PAUSE_MAX_MS:
            raise ScriptError(number, f"has a pause outside 1 ms to {PAUSE_MAX_MS // 1000} s")
        yield _Mark(number, "pause", pause_ms=milliseconds)
    yield _Mark(number, "words", line[end:])


def _sum(pause_ms: int, more_ms: int, line: int) -> int:
    if pause_ms + more_ms > PAUSE_MAX_MS:
        raise ScriptError(line, f"pauses in a row come to more than {PAUSE_MAX_MS // 1000} s")
    return pause_ms + more_ms
