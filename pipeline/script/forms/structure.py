"""Lines that are no speech: headings, rules, scene headings, directions on a line of their own."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipeline.script.events import Event, chapter, heading

BLANK = "blank"
PAUSE = "pause"
RULE = "rule"
HEADING = "heading"
SCENE = "scene heading"
DIRECTION = "stage direction"
SPEECH = "speech"

_ONLY_PAUSES = re.compile(r"(?:\[\s*pause[^\]\n]*\]?\s*)+", re.IGNORECASE)
_RULE = re.compile(r"(?:[-*_=~#•·—`]\s*){3,}|⁂")
_UNDERLINE = re.compile(r"={3,}")
_HEADING = re.compile(r"#{1,6}[ \t]+(?P<text>\S.*)")
_SCENE = re.compile(
    r"(?:\d+[A-Z]?\.?\s+)?(?:(?:INT|EXT|EST|I/E|INT\.?/EXT)[. ].*"
    r"|(?:FADE|CUT|DISSOLVE|SMASH|MATCH|JUMP|WIPE|IRIS|TITLE)\b[A-Z .]*"
    r"(?:TO|IN|OUT|CUT|BLACK|CARD|OVER|UP)\b[A-Z .]*:?"
    r"|(?:ACT|SCENE) (?:[IVXLC]+|\d{1,3}|[A-Z]{3,9})(?:[.,] .{0,100}|[.,]|\. [A-Z ]+)?(?<![:!?])"
    r"|THE END\.?|\(?CONTINUED\)?:?|\(?MORE\)?|END OF (?:ACT|SCENE|EPISODE|SHOW)\b[A-Z \d]*\.?"
    r"|(?:FLASHBACK|MONTAGE|INTERCUT|LATER|CONTINUOUS)\b[A-Z ,.:'-]*|TITLE:.*|SUPER:.*)"
    r"\s*(?:\d+[A-Z]?\.?)?"
)
_BRACKETED = r"\([^()]*\)|（[^（）]*）|\[[^\[\]]*\]|\{[^{}]*\}|【[^【】]*】"
_ASIDE = re.compile(rf"(?:[*_]{{1,3}})?(?:{_BRACKETED})\.?(?:[*_]{{1,3}})?\.?")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a script."""

    number: int
    text: str
    kind: str
    """`SPEECH` or one of the kinds above."""


def lines_of(texts: Sequence[str]) -> list[Line]:
    """Number lines from 1 and tell speech from structure."""
    kinds = [_kind(text) for text in texts]
    for position, text in enumerate(texts[1:]):
        alone = position == 0 or kinds[position - 1] == BLANK
        if alone and kinds[position] == SPEECH and _UNDERLINE.fullmatch(text.strip()):
            kinds[position] = HEADING
    return [Line(number, text, kinds[number - 1]) for number, text in enumerate(texts, 1)]


_PATTERNS = (
    (PAUSE, _ONLY_PAUSES),
    (RULE, _RULE),
    (HEADING, _HEADING),
    (DIRECTION, _ASIDE),
    (SCENE, _SCENE),
)
_LONG = 300
_PATTERNS_OF_LONG_LINES = ((PAUSE, _ONLY_PAUSES), (HEADING, _HEADING), (DIRECTION, _ASIDE))


def _kind(text: str) -> str:
    stripped = text.strip()
    if not stripped.strip("> "):
        return BLANK
    if stripped[0].isalnum() and not stripped[:3].isupper() and not stripped[0].isdecimal():
        return SPEECH  # as nearly all lines
    patterns = _PATTERNS if len(stripped) <= _LONG else _PATTERNS_OF_LONG_LINES
    return next((kind for kind, pattern in patterns if pattern.fullmatch(stripped)), SPEECH)


def without_asides(text: str) -> str:
    """The words of a line, without what is in brackets.

    >>> without_asides("(off) [door]"), without_asides("(off) Yes.")
    ('', 'Yes.')
    """
    return re.sub(_BRACKETED, "", text).strip()


def heading_text(text: str) -> str:
    """The words of a Markdown heading.

    >>> heading_text("## The Storm ##")
    'The Storm'
    """
    found = _HEADING.fullmatch(text.strip())
    return found["text"].rstrip("#").rstrip() if found else text.strip()


def chapter_title(text: str) -> str:
    """Title of the chapter that a Markdown heading begins; empty for a heading of a lower level.

    >>> chapter_title("# The Storm"), chapter_title("## The Boat")
    ('The Storm', '')
    """
    return heading_text(text) if text.strip().startswith("# ") else ""


def heading_events(line: Line) -> Iterator[Event]:
    """A heading in a script with speakers."""
    yield from chapter(line.number, chapter_title(line.text))
    yield heading(line.number, heading_text(line.text))
