"""Scripts with labelled lines, to events."""

import functools
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pipeline.script.events import Event, pause_between, section, speaker, unspoken, words
from pipeline.script.forms import chats, labels, structure
from pipeline.script.forms.labels import Label
from pipeline.script.forms.structure import Line
from pipeline.script.forms.survey import Survey
from pipeline.script.names import identity
from pipeline.script.turns import Findings
from pipeline.script.vocabulary import Kind, is_metadata, kind, words_of

_LOOSE = ("colon", "tag", "bracket", "bold", "heading")
"""Dialects whose lines are taken in a script of another dialect, if the name is known."""
_OTHERWISE = (
    "begins with a speaker's name, but not as the other lines do; write the name in the same way, or a "
    "backslash before it if it is to be read aloud"
)
_STRANGER = (
    "begins like a speaker's line, but not as the other lines do; write the name as they do, or a backslash "
    "before it if it is to be read aloud"
)
_ONE_LINE = (
    "has a speaker's name and a colon within the line; begin a new line with it, or take the colon out if "
    "the name is to be read aloud"
)
_TAG_WITHIN = "has a tag that names a speaker within the line; begin a new line with each such tag"
_NO_NAME = "begins with a time as other lines do, but without a speaker; write one, or take the line out"
_SYSTEM = re.compile(r"(?:\*{1,3}|-!-|-->|<--|==)\s+\S")
"""Messages of chat programs: `* nora waves`, `-!- bob has joined`."""
_WRAPPED = 60
"""A line shorter than this that ends a sentence was not wrapped by an editor."""
_STRONG_METADATA = words_of("""
    title subtitle author authors by writer written date genre episode season series copyright version
    draft cast characters dramatis hosts guests speakers voices duration runtime length podcast synopsis
    logline summary tags keywords
""")
_ENDS = (".", "!", "?", "…", '"', "'", ")", "]", "—", ":", ";", "*")
_QUOTED = re.compile(r"^\s*(?:>\s?)+(?=\s|\S)")
_BACKSLASH = re.compile(r"^(\s*)\\(?![\\`*_{}\[\]()#+\-.!|>~<])")


@dataclass(frozen=True)
class _Reading:
    lines: Sequence[Line]
    survey: Survey
    taken: Mapping[int, Label]
    """The lines that begin a speaker's turn."""
    findings: Findings

    @functools.cached_property
    def timed(self) -> bool:
        """True if a time stands before most labels."""
        return 2 * sum(label.timed for label in self.taken.values()) > len(self.taken)

    @functools.cached_property
    def timed_behind(self) -> bool:
        """True if a time stands behind most labels: `Nora: 00:12 Words`."""
        times = sum(bool(labels.without_time(label.words)[1]) for label in self.taken.values())
        return times > 1 and 2 * times > len(self.taken)


def read(
    lines: Sequence[Line], chosen: Survey, others: Sequence[Survey], cast: Collection[str], findings: Findings
) -> Iterator[Event]:
    """Read a script whose speakers are labelled in a dialect.

    Args:
        chosen: the survey of that dialect.
        others: the surveys of the other dialects.
        cast: identities of speakers that are named beside the script.
    """
    skipped = _title_block(lines, chosen, findings)
    taken = _take(lines, chosen, others, cast, skipped, findings)
    return _events(_Reading(lines, chosen, taken, findings), skipped)


def _take(
    lines: Sequence[Line],
    chosen: Survey,
    others: Sequence[Survey],
    cast: Collection[str],
    skipped: Collection[int],
    findings: Findings,
) -> dict[int, Label]:
    """Decide for every would-be label whether it is a speaker's."""
    taken: dict[int, Label] = {}
    ambiguous = bool(findings.problems)  # two dialects, of which every line is named already
    for line in lines:
        if line.number in skipped:
            continue
        label = chosen.found.get(line.number) or chosen.phrases.get(line.number)
        if label is not None:
            if _is_speakers(label, line, lines, chosen, cast, findings):
                taken[line.number] = label
            continue
        for other in others:
            label = other.found.get(line.number)
            if (
                label is not None
                and identity(label.name) in chosen.counts
                and line.number not in chosen.spoken
            ):
                if other.dialect in _LOOSE:
                    taken[line.number] = label
                else:
                    findings.problem(line.number, _OTHERWISE)
                break
            if label is not None and not ambiguous and _is_strangers(label, other, line, chosen):
                findings.problem(line.number, _STRANGER)
                break
    return taken


def _is_strangers(label: Label, other: Survey, line: Line, chosen: Survey) -> bool:
    """Tell whether a line begins with a name in another dialect than the others, beyond doubt."""
    if other.dialect not in _LOOSE or not label.strict or line.number in (*chosen.spoken, *chosen.cues):
        return False
    what = kind(label.name)
    if label.name.isupper() and len(label.name) > 1:
        return what not in (Kind.SPOKEN, Kind.CUE)
    return identity(label.name) in other.sure and what in (Kind.SPEAKER, Kind.NUMBERED)


def _is_speakers(
    label: Label,
    line: Line,
    lines: Sequence[Line],
    chosen: Survey,
    cast: Collection[str],
    findings: Findings,
) -> bool:
    key, what = identity(label.name), kind(label.name)
    if key in chosen.sure or key in cast or what is Kind.NUMBERED:
        return True
    if line.number in chosen.phrases:
        certain = False
    elif chosen.whole or label.decorated or chosen.dialect not in ("colon", "dash"):
        certain = what is Kind.SPEAKER and not (label.tight and not _is_tight(chosen))
    else:
        certain = what is Kind.SPEAKER and label.strict and not label.tight
    if certain:
        return True
    if not label.strict and _goes_on(line, lines):
        return False
    findings.problem(
        line.number,
        "begins like a speaker's line, with a name that stands nowhere else; if it is a speaker, say so with "
        "`--voice NAME=VOICE` or a cast, else write a backslash before it to have it read aloud",
    )
    return True


def _is_tight(chosen: Survey) -> bool:
    return 2 * sum(label.tight for label in chosen.found.values()) >= len(chosen.found)


def _goes_on(line: Line, lines: Sequence[Line]) -> bool:
    """Tell whether a line continues the sentence of the line before it."""
    before = lines[line.number - 2] if line.number > 1 else None
    if before is None or before.kind != structure.SPEECH:
        return False
    return line.text.lstrip()[:1].islower() and not before.text.rstrip().endswith(_ENDS)


def _events(reading: _Reading, skipped: Collection[int]) -> Iterator[Event]:
    if not reading.taken:
        return
    first = min(reading.taken)
    previous: Line | None = None
    for line in reading.lines:
        number = line.number
        if number in skipped:
            continue
        label = reading.taken.get(number)
        if label is not None:
            yield from _labelled(label, line, reading)
        elif line.kind == structure.BLANK:
            yield pause_between(number)
        elif line.kind == structure.PAUSE:
            yield words(number, line.text)
        elif line.kind != structure.SPEECH or number in reading.survey.cues:
            yield from _left_out(line, reading)
        elif number < first:
            if _is_notice(line, reading):
                reading.findings.omit(number, chats.NOTICE, line.text)
            elif (
                not reading.findings.problems or reading.findings.problems[-1].reason[:14] != "has no speaker"
            ):
                reading.findings.problem(
                    number,
                    f"has no speaker, but line {first} has one; begin with a speaker, as `Narrator:`, or "
                    "take the line out",
                )
        else:
            yield from _unlabelled(line, previous, reading)
        previous = line


def _labelled(label: Label, line: Line, reading: _Reading) -> Iterator[Event]:
    yield speaker(line.number, label.name)
    for direction in label.directions:
        reading.findings.omit(line.number, structure.DIRECTION, direction)
    if chats.is_placeholder(label.words):
        reading.findings.omit(line.number, chats.NOTICE, label.words)
        yield unspoken(line.number)
    else:
        text, time = labels.without_time(label.words) if reading.timed_behind else (label.words, "")
        if time:
            reading.findings.omit(line.number, "time", time)
        yield from _within(text, line.number, reading)


def _is_notice(line: Line, reading: _Reading) -> bool:
    bare, time = labels.without_time(line.text)
    return chats.is_notice(bare, timed=bool(time) and reading.timed)


def _within(text: str, number: int, reading: _Reading) -> Iterator[Event]:
    """The words of a line, in which a tag or bracket may hand over to another speaker."""
    dialect = reading.survey.dialect
    if any(_is_another(label, reading) for label in labels.within(text)):
        reading.findings.problem(number, _ONE_LINE)
    if labels.SPEAKER_TAG.search(text):
        reading.findings.problem(number, _TAG_WITHIN)
    if dialect == "pipe":
        text = text.rstrip().removesuffix("|")
    if dialect not in labels.INLINE:
        yield words(number, text)
        return
    end = 0
    for found in labels.INLINE[dialect].finditer(text):
        if identity(found[1]) not in reading.survey.counts:
            continue
        yield words(number, text[end : found.start()])
        end = found.end()
        if not found[0].startswith("</"):
            yield speaker(number, found[1])
    yield words(number, text[end:])


def _is_another(label: Label, reading: _Reading) -> bool:
    """Tell whether a name behind a sentence is a speaker's: known, emphasised, or in a script of one line."""
    if identity(label.name) in reading.survey.counts:
        return True
    unsure = not label.decorated and len(reading.taken) > 1
    return not unsure and kind(label.name) in (Kind.SPEAKER, Kind.NUMBERED)


def _left_out(line: Line, reading: _Reading) -> Iterator[Event]:
    """A heading, a rule, a direction: structure of the script, counted and not spoken."""
    number = line.number
    if line.kind == structure.RULE:
        yield pause_between(number)
        return
    if line.kind == structure.HEADING:
        yield from structure.heading_events(line)
        return
    what = "sound cue" if number in reading.survey.cues else line.kind
    reading.findings.omit(number, what, line.text)
    if line.kind == structure.SCENE:
        yield from section(number)
    elif line.kind == structure.DIRECTION:
        yield unspoken(number)
    else:
        yield pause_between(number)


def _unlabelled(line: Line, previous: Line | None, reading: _Reading) -> Iterator[Event]:
    """A line without a speaker: the turn goes on; where that is not plain to see, with a notice."""
    number = line.number
    text = _BACKSLASH.sub(r"\1", _QUOTED.sub("", line.text))
    if reading.survey.dialect == "tag" and not labels.INLINE["tag"].sub("", text).strip():
        return
    bare, time = labels.without_time(text)
    if reading.survey.dialect == "tag" and _SYSTEM.match(bare):
        reading.findings.omit(number, structure.DIRECTION, line.text)
        return
    if time and not bare.strip() and (reading.timed or reading.survey.dialect == "time"):
        reading.findings.omit(number, "time", time)
        return
    if chats.is_notice(bare, timed=bool(time) and reading.timed):
        reading.findings.omit(number, chats.NOTICE, line.text)
        yield unspoken(number)
        return
    if time and bare.strip() and reading.timed:
        reading.findings.problem(number, _NO_NAME)
    would_be = reading.survey.spoken.get(number)
    heads = would_be is not None and would_be.strict and kind(would_be.name) is Kind.SPOKEN
    if heads:
        yield pause_between(number)
        reading.findings.notice(
            number, "begins like a label that is no speaker's; it is read aloud by the speaker before it"
        )
    elif _is_noticed(line, reading) and _stands_alone(line, previous, reading):
        reading.findings.notice(number, "has no speaker; it is read by the speaker before it")
    yield from _within(text, number, reading)
    if heads:
        yield pause_between(number)


def _is_noticed(line: Line, reading: _Reading) -> bool:
    """Tell whether nobody has said yet that the line has no speaker."""
    escaped = line.text.lstrip().startswith("\\")
    return not escaped and all(problem.line != line.number for problem in reading.findings.problems[-20:])


def _stands_alone(line: Line, previous: Line | None, reading: _Reading) -> bool:
    if (
        previous is not None
        and previous.number in reading.taken
        and not structure.without_asides(reading.taken[previous.number].words)
    ):
        return False
    if previous is None or previous.kind not in (structure.SPEECH, structure.PAUSE, structure.DIRECTION):
        return True
    ended = previous.text.rstrip().endswith(_ENDS)
    return ended and len(previous.text.strip()) < _WRAPPED and previous.kind == structure.SPEECH


def _title_block(lines: Sequence[Line], chosen: Survey, findings: Findings) -> set[int]:
    """The lines of a title block or of front matter at the top, which are left out."""
    block = front_matter(lines) or _keys(lines, chosen)
    for line in block:
        findings.omit(line.number, "title block", line.text)
    return {line.number for line in block}


def front_matter(lines: Sequence[Line]) -> list[Line]:
    """Lines between two rules of dashes at the top, as static site generators have them."""
    if not lines or lines[0].text.strip() != "---":
        return []
    end = next((i for i, line in enumerate(lines[1:60], 1) if line.text.strip() in ("---", "...")), None)
    inner = lines[1:end] if end else []
    keys = [
        line
        for line in inner
        if re.match(r"[A-Za-z_][\w -]*:(\s|$)|\s+\S|-\s|#", line.text) or not line.text.strip()
    ]
    return list(lines[: end + 1]) if end and len(keys) == len(inner) else []


def _keys(lines: Sequence[Line], chosen: Survey) -> list[Line]:
    """`Title: …` and the like, of which one at least is a word that only title blocks have."""
    block: list[Line] = []
    strong = unknown = False
    for line in lines:
        if block and line.number <= block[-1].number:
            continue
        if line.kind == structure.BLANK and block:
            if unknown:
                break
            continue
        label = labels.match("colon", line.text) if line.kind == structure.SPEECH else None
        if label is None or chosen.counts[identity(label.name)] > 1:
            if line.kind in (structure.HEADING, structure.RULE, structure.BLANK, structure.DIRECTION):
                continue
            break
        if is_metadata(label.name):
            strong = strong or identity(label.name).split()[0] in _STRONG_METADATA
        elif block and lines[line.number - 2].kind == structure.SPEECH and _ends_before_blank(line, lines):
            unknown = True
        else:
            break
        block.append(line)
        if not label.words.strip():
            block += _list_below(line, lines, chosen)
    return block if strong else []


def _list_below(line: Line, lines: Sequence[Line], chosen: Survey) -> list[Line]:
    """The people that are listed below `Cast:`, up to a blank line."""
    below: list[Line] = []
    listed = 2 * sum(label.listed for label in chosen.found.values()) > len(chosen.found)
    for after in lines[line.number :]:
        label = chosen.found.get(after.number)
        if after.kind == structure.BLANK or (label is not None and (listed or not label.listed)):
            break
        below.append(after)
    return below


def _ends_before_blank(line: Line, lines: Sequence[Line]) -> bool:
    """Tell whether a blank line follows the lines that stand together with this one."""
    return any(after.kind == structure.BLANK for after in lines[line.number :])
