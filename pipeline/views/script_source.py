"""The script of a job as turns that make the same segments if they are sent as a script again.

Texts are written with their commands. Words that would be read as marks are escaped; each turn is read again
here, so that no more is escaped than necessary.
"""

import html
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from pipeline.jobs.jobs import Jobs
from pipeline.jobs.plans import Plan
from pipeline.planning.records import PlannedLine
from pipeline.script import markup, parser
from pipeline.script.marks import ENTITY, FOREIGN_MARKS, MARKS
from pipeline.script.turns import Said, Turn

_SUSPICIOUS = re.compile(f"[{re.escape(MARKS)}\\\\&]")
"""Marks, escapes and entities; a text without them is read as it is."""
_OFTEN = re.compile(r"[\\*_{}\[\]~<]")
_EVER = re.compile(rf"[\\*_{{}}\[\]~<>()|#{FOREIGN_MARKS}]")
_VALUE = re.compile(r"[\\\[\]]")
_RATE_STEP = 1e-4
_JOIN = "\0"
"""Side of a command on which no space is."""
Escape = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class SourceTurn:
    """A turn of a script in JSON, and its place in the job."""

    speaker: str
    text: str
    pause_ms: int
    """Silence before it."""
    begins_chapter: str | None
    source_line: int
    segments: tuple[int, ...]
    turns: tuple[int, ...]
    """Indices of the planned turns; several where pauses and commands divide it."""


@dataclass(frozen=True, slots=True)
class _Part:
    """Part of a turn up to a pause or a command."""

    speaker: str
    text: str
    pause_ms: int
    rate: float
    said: tuple[Said, ...]


def turns_of(jobs: Jobs, plan: Plan) -> list[SourceTurn]:
    """Read the script of a job that has a plan."""
    placed = [(line, segment.index) for segment in jobs.plans.segments(plan) for line in segment.lines]
    planned = [list(group) for _, group in groupby(placed, key=lambda each: each[0].turn)]
    titles = {chapter.turn: chapter.title for chapter in jobs.plans.book(plan.job)[1]}
    parts = _Parts(jobs, plan)
    found: list[SourceTurn] = []
    for group in _whole_turns(planned):
        lines = [each[0][0] for each in group]
        own = [parts.of([line for line, _ in each]) for each in group]
        leading_ms = own[0].pause_ms if not found else 0  # nothing is before it, so it is part of the words
        found.append(
            SourceTurn(
                lines[0].speaker,
                source(lines[0].speaker, own, leading_ms=leading_ms),
                0 if leading_ms else lines[0].pause_ms,
                titles.get(lines[0].turn),
                lines[0].source_line,
                tuple(sorted({index for each in group for _, index in each})),
                tuple(line.turn for line in lines),
            )
        )
    return found


_Placed = list[tuple[PlannedLine, int]]


def _whole_turns(planned: Iterable[_Placed]) -> list[list[_Placed]]:
    """Join the parts of each turn."""
    whole: list[list[_Placed]] = []
    for each in planned:
        if each[0][0].continues and whole:
            whole[-1].append(each)
        else:
            whole.append([each])
    return whole


class _Parts:
    """Parts of a job's turns as they were written."""

    def __init__(self, jobs: Jobs, plan: Plan) -> None:
        self.written, self.said = jobs.plans.written(plan.job), jobs.plans.reading(plan.job).said
        self.paces = {speaker.name: speaker.pace for speaker in plan.speakers}

    def of(self, lines: Sequence[PlannedLine]) -> _Part:
        first = lines[0]
        text = self.written.get(first.turn) or " ".join(line.text for line in lines)
        rate = unpaced(first.rate, self.paces.get(first.speaker, 1.0))
        return _Part(first.speaker, text, first.pause_ms, rate, self.said.get(first.turn, ()))


def unpaced(rate: float, pace: float) -> float:
    """Rate of a line without the pace of its speaker.

    >>> unpaced(1.32, 1.2), unpaced(0.9999, 0.33), unpaced(0.9, 1.0)
    (1.1, 3.03, 0.9)
    """
    near = round(rate / pace, 4)
    candidates = (round(near + step * _RATE_STEP, 4) for step in (0, -1, 1, -2, 2))
    return next((each for each in candidates if round(each * pace, 4) == rate), near)


def source(speaker: str, parts: Sequence[_Part], *, leading_ms: int = 0) -> str:
    """Write a turn so that it is read again as it was, with as few escapes as that takes."""
    only = parts[0]
    if len(parts) == 1 and not (leading_ms or only.said or only.rate != 1.0 or _SUSPICIOUS.search(only.text)):
        return only.text
    text = ""
    for escape in (str, _often, _ever):
        text = _written(speaker, parts, escape, leading_ms)
        if _is_read_as(text, speaker, parts, leading_ms):
            break
    return text


def _is_read_as(text: str, speaker: str, parts: Sequence[_Part], leading_ms: int) -> bool:
    again = parser.read([{"speaker": speaker, "text": text}])
    pauses = [leading_ms, *(part.pause_ms for part in parts[1:])]
    wanted = [
        (each.speaker, each.text, ms, each.rate, each.said) for each, ms in zip(parts, pauses, strict=True)
    ]
    return not again.problems and wanted == [_content(turn) for turn in again.turns]


def _content(turn: Turn) -> tuple[str, str, int, float, tuple[Said, ...]]:
    return turn.speaker, turn.text, turn.pause_ms, turn.rate, turn.said


def _written(speaker: str, parts: Sequence[_Part], escape: Escape, leading_ms: int) -> str:
    """A turn with the commands that part it; a command lasts as long as the parts have it in common."""
    words: list[str] = [f"[pause:{leading_ms}ms]"] if leading_ms else []
    voice, rate = speaker, 1.0
    for number, part in enumerate(parts):
        pause_ms = part.pause_ms if number else 0
        if pause_ms:
            words.append(f"[pause:{pause_ms}ms]")
        elif number and (part.speaker, part.rate) == (voice, rate):
            words.append("[rate:1][/rate]")  # a cut alone
        words += _changes((speaker, voice, rate), part)
        voice, rate = part.speaker, part.rate
        words.append(_worded(part, escape))
    words += _closed(speaker, voice, rate)
    return " ".join(words).replace(f"{_JOIN} ", "").replace(f" {_JOIN}", "")


def _changes(before: tuple[str, str, float], part: _Part) -> list[str]:
    speaker, voice, rate = before
    if (part.speaker, part.rate) == (voice, rate):
        return []
    opened = [f"[voice:{part.speaker}]{_JOIN}"] if part.speaker != speaker else []
    return [*_closed(speaker, voice, rate), *opened, *_rated(part.rate)]


def _closed(speaker: str, voice: str, rate: float) -> list[str]:
    closed = ["[/rate]"] * len(_rated(rate)) + (["[/voice]"] if voice != speaker else [])
    return [f"{_JOIN}{each}" for each in closed]


def _rated(rate: float) -> list[str]:
    """Commands for a rate; one beyond those of a command is a product of several."""
    if rate == 1.0:
        return []
    nearest = min(max(rate, markup.RATE_MIN), markup.RATE_MAX)
    return [f"[rate:{nearest:g}]{_JOIN}", *_rated(rate / nearest)]


def _worded(part: _Part, escape: Escape) -> str:
    """The words of a part, with the commands that give the words that are spoken."""
    words, position = list[str](), 0
    for said in part.said:
        opening, closing = _command(said, escape)
        written = part.text[said.start : said.end]
        words += [escape(part.text[position : said.start]), opening, escape(written), closing]
        position = said.end
    return "".join([*words, escape(part.text[position:])])


def _command(said: Said, escape: Escape) -> tuple[str, str]:
    value = said.value
    if said.kind == markup.SPELL:
        return "[spell]", "[/spell]"
    if said.kind == markup.READ_AS:
        return f'<say-as interpret-as="{value}">', "</say-as>"
    if said.kind == markup.SAY and markup.IPA_VALUE.fullmatch(value):
        return f'<sub alias="{html.escape(value)}">', "</sub>"
    escaped = escape(value) if escape is not str else _VALUE.sub(r"\\\g<0>", value)
    return (f"[say:/{escaped}/]" if said.kind == markup.IPA else f"[say:{escaped}]"), "[/say]"


def _often(text: str) -> str:
    return _OFTEN.sub(r"\\\g<0>", ENTITY.sub(lambda found: f"&amp;{found[0][1:]}", text))


def _ever(text: str) -> str:
    """A text in which no sign is a mark.

    >>> _ever("(sighs) 1:2")
    '\\\\(sighs\\\\) 1&#58;2'
    """
    entities = ENTITY.sub(lambda found: f"&amp;{found[0][1:]}", text)
    return _EVER.sub(r"\\\g<0>", entities).replace(":", "&#58;")
