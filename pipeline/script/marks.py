"""Marks within lines that are not read aloud: directions, emphasis, links, footnote marks, tags, pauses.

What is left out keeps its line breaks, so that every word keeps its line's number. Nothing is left out
without an `Omission`.
"""

import html
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from pipeline.script import directions, markup
from pipeline.script.plain import is_picture, newline_counter, plain_letters
from pipeline.script.turns import Findings
from pipeline.script.vocabulary import words_of

PAUSE_MAX_MS = 60_000

DIRECTION = "stage direction"
EMPHASIS = "emphasis mark"
FOOTNOTE = "footnote mark"
ADDRESS = "link address"
PICTURE = "picture"
MENTION = "mention"
TAG = "markup tag"
COMMENT = "comment"

FOREIGN_MARKS = "†‡（）【】⁰¹²³⁴⁵⁶⁷⁸⁹"
"""Marks beyond ASCII, which can be escaped as well."""
MARKS = f"[({{<*_`~/:{FOREIGN_MARKS}"
"""Characters of which every mark has one; a text without them, escapes and entities is read as it is."""
_ESCAPED = re.compile(rf"\\([\\`*_{{}}\[\]()#+\-.!|>~<{FOREIGN_MARKS}])")
ENTITY = re.compile(r"&(?:[A-Za-z][A-Za-z0-9]{1,30}|#\d{1,6}|#[xX][\da-fA-F]{1,5});")
"""Characters by their names in HTML: `&amp;`, `&#39;`."""
_GUARD = 0xE000
"""Escaped characters are moved here, where no rule below finds them, and back in the end."""
_GUARDED = re.compile(f"[{chr(_GUARD)}-{chr(_GUARD + 0x7F + len(FOREIGN_MARKS))}]")
_PAUSE_MARK = "\ue0ff"
_COMMAND_MARK = "\ue0fd"
_MARKED = re.compile(f"([{_PAUSE_MARK}{_COMMAND_MARK}])")
_PAUSE_TAG = re.compile(
    r"\[\s*(?P<pause>pause[^\]\n]*)\]?|<break\b(?P<attributes>[^<>]*)>(?:\s*</break>)?", re.IGNORECASE
)
_PAUSE = re.compile(r"pause\s*:\s*(\d+(?:\.\d+)?)\s*(ms|s)\s*", re.IGNORECASE)
_NO_PAUSE = "has a [pause…] that is not a pause; write [pause:800ms] or [pause:1.5s]"
_BREAK_TIME = re.compile(r"time\s*=\s*[\"']\s*(\d+(?:\.\d+)?)\s*(ms|s)\s*[\"']", re.IGNORECASE)
_COMMAND = re.compile(
    r"\[\s*(?:speed|pitch|volume|style|emotion|lang|language|tempo)\s*[:=][^\[\]\n]*\]", re.I
)
_VOICE_TAG = re.compile(r"<(?:audio|lang)\b[^<>]*>", re.IGNORECASE)
_COMMENT = re.compile(r"<!--.*?-->|\[\[[^\[\]]*\]\]|/\*.*?\*/", re.DOTALL)
_PICTURE = re.compile(r"!\[([^\[\]]*)\]\([^()\s]*(?:\s+\"[^\"]*\")?\)")
_LINK = re.compile(
    r"\[([^\[\]\n]+)\](\((?:[^()\s]|\([^()\s]*\))*(?:\s+[\"'][^\"'\n]*[\"'])?\)|\[[^\[\]\n]*\](?=[\s.,;:!?)]|$))"
)
_AUTOLINK = re.compile(r"<((?:https?|ftp|mailto):[^<>\s]+|[\w.+-]+@[\w.-]+\.\w+)>")
_REFERENCE = re.compile(r"\[\^[^\[\]\s]+\]")
_CITATION = re.compile(r"(?<=\S)[ ]?\[\d{1,3}(?:\s*[,–—-]\s*\d{1,3})*\]")
_PARENTHESIS_NOTE = re.compile(r"(?<=[,.;:!?\"])\(\d{1,2}\)(?=\s|$)")
_SUPERSCRIPT = re.compile(r"(?<=[^\W\d_]|[.,;:!?\"'])[⁰¹²³⁴-⁹]+")
_WORD_BEFORE = re.compile(r"[^\W\d_]*$")
_DAGGER = re.compile(r"(?<=[\w.,;:!?\"'])[†‡]+")
_UNITS = words_of("m cm mm km dm hm nm ft in yd mi ha s h g kg l ml x y z r")
_BOLD = re.compile(r"(?<![*\w\\])(\*{2,3})(?=[^\s*])(.+?)(?<=[^\s*])\1(?![*\w])", re.DOTALL)
_UNDERLINED = re.compile(r"(?<![\w_\\])(_{1,3})(?=[^\s_])(.+?)(?<=[^\s_])\1(?![\w_])", re.DOTALL)
_STRUCK = re.compile(r"(?<![~\w])(~~)(?=[^\s~])(.+?)(?<=[^\s~])\1(?![~\w])", re.DOTALL)
_CODE = re.compile(r"(?<!`)(`{1,2})(?=[^`])([^`\n]+?)(?<=[^`])\1(?!`)")
_ITALIC = re.compile(r"(?<![*\w\\])(\*)(?=[^\s*])([^*]+?)(?<=[^\s*])\1(?![*\w])")
_EMPHASISED_BRACKETS = re.compile(r"(\*{1,3}|_{1,3})([(\[{][^()\[\]{}]*[)\]}])\1")
_BRACKETS = re.compile(r"\[([^\[\]]*)\]|\{([^{}]*)\}|【([^【】]*)】")
_PARENTHESES = re.compile(r"\(([^()]*)\)|（([^（）]*)）")
_OMITTED = re.compile(
    r"<(?:media|image|video|audio|sticker|document|GIF|file|attached|this message was)\b[^<>\n]{0,80}>"
    r"|(?<=\S) \(edited\)(?=\s*$)|(?<!\S):(?=\w*[a-z])[\w+-]{2,30}:(?!\S)|(?<!\S):[+-]1:(?!\S)",
    re.IGNORECASE | re.MULTILINE,
)
"""Placeholders and marks of chat programs: `<Media omitted>`, `(edited)`, `:thumbs_up:`."""
_MENTION = re.compile(r"<(?:[@#!][\w&!|.^ -]{1,60}|a?:\w{1,40}:\d{0,20})>")
"""`<@U012>`, `<#C01|general>`, `<:smile:123>`: people, channels and pictures by their numbers."""
_TAG = re.compile(r"</?[A-Za-z][\w:-]{0,30}(?:\s+[\w:-]+\s*=\s*(?:\"[^\"<>]*\"|'[^'<>]*'))*\s*/?>")
_BLOCK_TAG = re.compile(r"</?(?:br|div|li|tr|td|line|turn|h[1-6])(?:\s[^<>]*)?/?>", re.IGNORECASE)
_END_TIME = re.compile(r"0?\d:\d{2}:\d{2}|0\d:\d{2}")
"""A time behind a line, as transcripts have it."""
_NUMBERING = re.compile(r"[\w]{1,2}|[ivxlc]+|\d+")
_HYPHENATED = re.compile(r"(?<=[^\W\d_])[-\u00ad][ ]*\n[ ]*(?=[a-z])")
_COMPOUNDS = words_of("""
    well self half all ever old new high low long short ex non co semi anti pre post multi vice mid cross ill
    best better so father mother brother sister son daughter one two three four five six seven eight nine ten
    twenty thirty forty fifty sixty seventy eighty ninety first second third far hard hand heart light dark
""")
_BLANK = re.compile(rf"[ \n{_PAUSE_MARK}{_COMMAND_MARK}]*")
_BESIDE = f" {_PAUSE_MARK}{_COMMAND_MARK}"
"""Spaces and marks that a sentence's ends are found beside."""
_SENTENCE_END = tuple(".!?…:;\"')]—")


@dataclass(frozen=True, slots=True)
class Piece:
    """Words, a pause between words, or a command."""

    line: int
    text: str = ""
    pause_ms: int = 0
    command: markup.Command | None = None
    glued: bool = False
    """True if no space is between its words and those before it."""


def clean(lines: Sequence[tuple[int, str]], findings: Findings, *, has_speakers: bool) -> list[Piece]:
    """Take the marks out of a turn's lines.

    Args:
        lines: numbers and texts; quotes and dashes already plain.
        has_speakers: whether the script is one of people who speak, with stage directions.
    """
    cleaner = _Cleaner(lines, findings)
    if cleaner.has_marks:
        cleaner.tags()
        cleaner.links()
        cleaner.notes()
        cleaner.asides(has_speakers)
        cleaner.emphasis()
    cleaner.hyphens()
    return cleaner.pieces()


class _Cleaner:
    """The lines of one turn as one text, and what was taken out of it."""

    def __init__(self, lines: Sequence[tuple[int, str]], findings: Findings) -> None:
        self.numbers = [number for number, _ in lines]
        whole = "\n".join(text for _, text in lines)
        self.text = ENTITY.sub(_character, _ESCAPED.sub(lambda found: _guarded(found[1]), whole))
        self.findings = findings
        self.pauses: list[int] = []
        self.commands: list[markup.Command] = []
        self.has_marks = any(mark in self.text for mark in MARKS)

    def line(self, offset: int) -> int:
        return self.numbers[self.text.count("\n", 0, offset)]

    def drop(self, pattern: re.Pattern[str], kind: str, keep: Callable[[re.Match[str]], str | None]) -> None:
        """Leave out what a pattern finds.

        Args:
            keep: gives the text that stays of a find; None leaves it as it is.
        """

        newlines = newline_counter(self.text)

        def replaced(found: re.Match[str]) -> str:
            retained = keep(found)
            if retained is None:
                return found[0]
            self.findings.omit(self.numbers[newlines(found.start())], kind, _without(found[0], retained))
            return retained + "\n" * (found[0].count("\n") - retained.count("\n"))

        self.text = pattern.sub(replaced, self.text)

    def tags(self) -> None:
        """Pauses, comments, commands and markup."""
        self.text = _PAUSE_TAG.sub(self._pause, self.text)
        self.drop(_COMMENT, COMMENT, _nothing)
        newlines = newline_counter(self.text)
        self.text = markup.COMMAND.sub(lambda found: self._command(found, newlines), self.text)
        for pattern, example in ((_COMMAND, "[pitch:…] or [style:…]"), (_VOICE_TAG, "<audio> or <lang>")):
            for found in pattern.finditer(self.text):
                self.findings.problem(
                    self.line(found.start()),
                    f"has a command such as {example}, which is not obeyed; take it out. There are "
                    "[pause:…], [rate:…], [voice:…], [say:…] and [spell]",
                )
            self.text = pattern.sub(lambda found: "\n" * found[0].count("\n"), self.text)

    def _command(self, found: re.Match[str], newlines: Callable[[int], int]) -> str:
        line = self.numbers[newlines(found.start())]
        self.commands.append(markup.command(found, line, self.findings))
        return _COMMAND_MARK + "\n" * found[0].count("\n")

    def _pause(self, found: re.Match[str]) -> str:
        line = self.line(found.start())
        if found["pause"] is None:
            time = _BREAK_TIME.search(found["attributes"])
            if time:
                return self._timed(line, time[1], time[2])
        elif not found[0].endswith("]"):
            self.findings.problem(line, _NO_PAUSE)
            return ""
        elif pause := _PAUSE.fullmatch(found["pause"]):
            return self._timed(line, pause[1], pause[2])
        elif found["pause"].strip().casefold() != "pause":
            self.findings.problem(line, _NO_PAUSE)
            return ""
        self.findings.omit(line, DIRECTION, found["pause"] or "")
        return " "

    def _timed(self, line: int, number: str, unit: str) -> str:
        asked_ms = float(number) * (1 if unit.lower() == "ms" else 1000)
        milliseconds = round(min(asked_ms, PAUSE_MAX_MS + 1))  # hundreds of digits are infinity
        if not 0 < milliseconds <= PAUSE_MAX_MS:
            self.findings.problem(line, f"has a pause outside 1 ms to {PAUSE_MAX_MS // 1000} s")
            return ""
        self.pauses.append(milliseconds)
        return _PAUSE_MARK

    def notes(self) -> None:
        """Footnote marks: `[^1]`, `[2]`, `,(3)`, `word¹`, `†`."""
        for pattern in (_REFERENCE, _CITATION, _PARENTHESIS_NOTE, _DAGGER):
            self.drop(pattern, FOOTNOTE, _nothing)
        self.drop(_SUPERSCRIPT, FOOTNOTE, self._superscript)

    def _superscript(self, found: re.Match[str]) -> str | None:
        """Nothing; None where it is an exponent: behind a unit or a short word, as in `m²` and `mc²`."""
        before = _WORD_BEFORE.search(self.text, max(0, found.start() - 40), found.start())
        word = before[0] if before else ""
        return None if 0 < len(word) < 3 or word.casefold() in _UNITS else ""

    def links(self) -> None:
        self.drop(_PICTURE, PICTURE, _nothing)
        self.drop(_LINK, ADDRESS, lambda found: "" if found[1].strip("^ ").isdecimal() else found[1])
        self.drop(_AUTOLINK, ADDRESS, lambda found: "")
        self.drop(_OMITTED, PICTURE, _nothing)
        self.drop(_MENTION, MENTION, _nothing)
        self.drop(_BLOCK_TAG, TAG, lambda found: " ")
        self.drop(_TAG, TAG, _nothing)

    def asides(self, has_speakers: bool) -> None:
        """Directions, by the rule of `directions`."""
        self.drop(_EMPHASISED_BRACKETS, EMPHASIS, lambda found: found[2])
        self.drop(_BRACKETS, DIRECTION, lambda found: self._bracketed(found, has_speakers))
        for pattern in (_ITALIC, _UNDERLINED):
            self.drop(pattern, DIRECTION, lambda found: self._starred(found, has_speakers))
        if has_speakers:
            self.drop(_PARENTHESES, DIRECTION, self._parenthesis)

    def _bracketed(self, found: re.Match[str], has_speakers: bool) -> str | None:
        inner = found[1] or found[2] or found[3] or ""
        return "" if has_speakers or directions.names_a_sound(inner) else None

    def _starred(self, found: re.Match[str], has_speakers: bool) -> str | None:
        inner = found[2]
        outside = self._begins_sentence(found.start()) and self._ends_sentence(found.end())
        if not inner[:1].islower() or not outside:
            return None
        if directions.names_a_sound(inner) or (has_speakers and directions.begins_with_verb(inner)):
            return ""
        return None

    def _parenthesis(self, found: re.Match[str]) -> str | None:
        inner = (found[1] or found[2] or "").strip()
        if directions.names_a_sound(inner):
            return ""
        if not inner or _NUMBERING.fullmatch(inner):
            return None
        ends_line = not self._line_after(found.end()).strip()
        if _END_TIME.fullmatch(inner) and ends_line:
            return ""
        alone = ends_line and not self._line_before(found.start()).strip()
        return "" if alone or _BLANK.fullmatch(self.text, 0, found.start()) else None

    def _line_before(self, offset: int) -> str:
        return self.text[self.text.rfind("\n", 0, offset) + 1 : offset]

    def _line_after(self, offset: int) -> str:
        end = self.text.find("\n", offset)
        return self.text[offset : end if end >= 0 else None]

    def _begins_sentence(self, offset: int) -> bool:
        before = self._line_before(offset).rstrip(_BESIDE)
        return not before or before.rstrip().endswith(_SENTENCE_END)

    def _ends_sentence(self, offset: int) -> bool:
        after = self._line_after(offset).lstrip(_BESIDE)
        return not after or after[0].isupper() or not (after[0].isalnum() or after[0] in ",;:-—")

    def emphasis(self) -> None:
        """Markdown's marks around words that stay."""
        for pattern in (_BOLD, _ITALIC, _UNDERLINED, _STRUCK, _CODE, _BOLD, _ITALIC):
            self.drop(pattern, EMPHASIS, lambda found: found[2])

    def hyphens(self) -> None:
        """Join words that a hyphen parts at the end of a line."""

        def joined(found: re.Match[str]) -> str:
            first = re.search(r"[^\W\d_]+$", self._line_before(found.start()))
            keeps = first is not None and first[0].casefold() in _COMPOUNDS
            return ("-" if keeps else "") + _JOINED

        if _HYPHENATED.search(self.text):
            line = self.line(_HYPHENATED.search(self.text).start())  # type: ignore[union-attr]
            self.text, count = _HYPHENATED.subn(joined, self.text)
            words = "a word" if count == 1 else f"{count} words"
            self.findings.notice(line, f"{words} with a hyphen at the end of a line joined")
            self._move_joined()

    def _move_joined(self) -> None:
        """The rest of a joined word goes to the line that it began on."""

        def moved(found: re.Match[str]) -> str:
            return found[1].replace(_JOINED, "") + "\n" * found[1].count(_JOINED)

        self.text = _MOVED.sub(moved, self.text)

    def pieces(self) -> list[Piece]:
        """Words, pauses and commands in order."""
        pieces, pauses, commands = list[Piece](), iter(self.pauses), iter(self.commands)
        for number, text in zip(self.numbers, self.text.split("\n"), strict=True):
            before = " "
            for words in _MARKED.split(text):
                if words == _PAUSE_MARK:
                    pieces.append(Piece(number, pause_ms=next(pauses)))
                    before = " "
                elif words == _COMMAND_MARK:
                    pieces.append(Piece(number, command=_readable(next(commands))))
                elif words:
                    glued = not before[-1].isspace() and not words[0].isspace()
                    pieces.append(Piece(number, _unguarded(words), glued=glued))
                    before = words
        return pieces


_JOINED = "\ue0fe"
_MOVED = re.compile(rf"((?:{_JOINED}[^\s{_JOINED}]*)+) ?")


def _nothing(_found: re.Match[str]) -> str:
    return ""


def _without(whole: str, retained: str) -> str:
    """The text left out: the parts before and behind what is retained."""
    start = whole.find(retained) if retained else -1
    return whole if start < 0 else f"{whole[:start]} {whole[start + len(retained) :]}".strip()


def _guarded(text: str) -> str:
    """Characters where no rule for marks finds them."""
    return "".join(map(_guarded_letter, text))


def _guarded_letter(letter: str) -> str:
    if letter in FOREIGN_MARKS:
        return chr(_GUARD + 0x80 + FOREIGN_MARKS.index(letter))
    return chr(_GUARD + ord(letter)) if " " < letter < "\x7f" else letter


def _character(found: re.Match[str]) -> str:
    character = plain_letters(html.unescape(found[0]))
    readable = (
        character != found[0]
        and (character.isprintable() or character.isspace())
        and not is_picture(character)
    )
    return _guarded(character) if readable else found[0]


def _readable(command: markup.Command) -> markup.Command:
    return replace(command, value=_unguarded(command.value))


def _unguarded(text: str) -> str:
    return _GUARDED.sub(_unguarded_letter, text)


def _unguarded_letter(found: re.Match[str]) -> str:
    code = ord(found[0]) - _GUARD
    return chr(code) if code < 0x80 else FOREIGN_MARKS[code - 0x80]
