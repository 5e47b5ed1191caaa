"""Screenplays and plays: a name in capitals on a line of its own, and what that person says below it."""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from pipeline.script.events import Event, pause_between, section, speaker, words
from pipeline.script.forms import structure
from pipeline.script.forms.structure import Line
from pipeline.script.forms.survey import Verdict
from pipeline.script.names import identity
from pipeline.script.turns import Findings
from pipeline.script.vocabulary import Kind, kind

_CUE = re.compile(
    r"@?(?P<name>[^\W\d_a-zß-öø-ÿ][^()\[\]a-zß-öø-ÿ:!?]{0,40}?|@.{1,40}?)\s*(?P<extensions>(?:\([^()]{1,40}\)\s*)*)\^?"
)
_PAGE = re.compile(r"\s{0,80}(?:-\s?)?\d{1,4}\.?(?:\s?-)?\s{0,80}|\s{0,80}page \d+.*", re.IGNORECASE)
_ABBREVIATIONS = ("JR.", "SR.", "ESQ.", "MR.", "MRS.", "MS.", "DR.", "ST.")
_HALF = 0.5
_CUE_CHARACTERS = 120


@dataclass(slots=True)
class Survey:
    """Names in capitals that stand above lines."""

    names: dict[int, str] = field(default_factory=dict)
    extensions: dict[int, str] = field(default_factory=dict)
    """`(V.O.)` and the like behind them."""
    counts: Counter[str] = field(default_factory=Counter)
    scenes: int = 0
    verdict: Verdict = Verdict.NOTHING

    @property
    def score(self) -> float:
        return sum(count if count > 1 else 0.5 for count in self.counts.values())


def survey(lines: Sequence[Line], cast: Collection[str]) -> Survey:
    """Look for names in capitals above lines of speech."""
    result = Survey(scenes=sum(line.kind == structure.SCENE for line in lines))
    dotted: dict[int, str] = {}
    for position, line in enumerate(lines):
        name = _cue(line, lines[position + 1 : position + 2], cast)
        if name is None:
            continue
        if _is_dotted(name[0]):
            dotted[line.number] = name[0]
        result.names[line.number], result.extensions[line.number] = name
        result.counts[identity(name[0])] += 1
    _settle_dotted(result, dotted, lines)
    if result.names:
        result.verdict = _judged(result, lines, cast)
    return result


def _cue(line: Line, below: Sequence[Line], cast: Collection[str]) -> tuple[str, str] | None:
    """A name and what follows it, if the line is a name above speech."""
    found = _match(line.text) if line.kind == structure.SPEECH else None
    if not found or not below or below[0].kind not in (structure.SPEECH, structure.DIRECTION):
        return None
    name = found["name"].strip().lstrip("@").strip()
    forced = found["name"].startswith("@")
    if (
        not (name.isupper() or (forced and any(map(str.isalpha, name))))
        or len(name.split()) > 5
        or name.endswith((",", ";", "-", "—"))
    ):
        return None
    if below[0].kind == structure.SPEECH and below[0].text.isupper() and _match(below[0].text):
        return None
    if identity(name) not in cast and kind(name) in (Kind.SPOKEN, Kind.CUE):
        return None
    return name, found["extensions"]


def _is_dotted(name: str) -> bool:
    """Tell whether a full stop that belongs to no abbreviation ends a name: `BERNARDO.`"""
    last = name.rsplit(maxsplit=1)[-1]
    return last.endswith(".") and "." not in last[:-1] and last not in _ABBREVIATIONS


def _settle_dotted(result: Survey, dotted: dict[int, str], lines: Sequence[Line]) -> None:
    """Names with a full stop are names if one of them returns below blank lines, as in printed plays."""
    alone = [name for number, name in dotted.items() if _below_blank(lines, number)]
    counts = Counter(map(identity, alone))
    returning = any(counts[identity(name)] > 1 and kind(name) is Kind.SPEAKER for name in alone)
    for number, name in dotted.items():
        if returning and _below_blank(lines, number):
            result.names[number] = name.removesuffix(".")
            continue
        del result.names[number], result.extensions[number]
        result.counts[identity(name)] -= 1
    result.counts = +result.counts


def _below_blank(lines: Sequence[Line], number: int) -> bool:
    return number == 1 or lines[number - 2].kind != structure.SPEECH


def _match(text: str) -> re.Match[str] | None:
    stripped = text.strip()
    return _CUE.fullmatch(stripped) if len(stripped) <= _CUE_CHARACTERS else None


def _judged(result: Survey, lines: Sequence[Line], cast: Collection[str]) -> Verdict:
    opens = [line for line, before in zip(lines, (None, *lines), strict=False) if _opens(line, before)]
    labelled = sum(line.number in result.names for line in opens)
    if any(count > 1 for count in result.counts.values()) or result.counts.keys() & set(cast):
        certain = labelled >= _HALF * len(opens) or result.scenes
        return Verdict.LABELS if certain else Verdict.TIE
    doubtful = [name for name in result.names.values() if kind(name) is Kind.DOUBTFUL]
    some = len(doubtful) < len(result.names)
    if len(result.names) < 2 and not result.scenes:
        return Verdict.NOTHING
    if (result.scenes and some) or (labelled == len(opens) and not doubtful):
        return Verdict.LABELS
    return Verdict.TIE if labelled >= _HALF * len(opens) and some else Verdict.NOTHING


def _opens(line: Line, before: Line | None) -> bool:
    return line.kind == structure.SPEECH and (before is None or before.kind != structure.SPEECH)


def read(lines: Sequence[Line], found: Survey, findings: Findings) -> Iterator[Event]:
    """Read a screenplay: speech is read; headings, action, transitions and directions are left out."""
    speaking = began = False
    for line in lines:
        number = line.number
        if number in found.names:
            yield speaker(number, found.names[number])
            if found.extensions[number].strip():
                findings.omit(number, structure.DIRECTION, found.extensions[number])
            speaking = began = True
        elif line.kind == structure.BLANK:
            yield pause_between(number)
            speaking = speaking and not _spoke_before(lines, number)
        elif _is_spoken(line, began, speaking):
            yield words(number, line.text)
        elif line.kind == structure.HEADING:
            yield from structure.heading_events(line)
            speaking = False
        elif line.kind != structure.RULE:
            findings.omit(number, _what(line), line.text)
            if line.kind == structure.SCENE:
                yield from section(number)
                speaking = False


def _is_spoken(line: Line, began: bool, speaking: bool) -> bool:
    if line.kind == structure.PAUSE:
        return began
    return line.kind == structure.SPEECH and speaking and not _PAGE.fullmatch(line.text)


def _spoke_before(lines: Sequence[Line], number: int) -> bool:
    """Tell whether the line before a blank one is speech and not the name above it."""
    return number > 1 and lines[number - 2].kind in (structure.SPEECH, structure.DIRECTION)


def _what(line: Line) -> str:
    if line.kind != structure.SPEECH:
        return line.kind
    return "page number" if _PAGE.fullmatch(line.text) else "action"
