"""Evidence over a whole text: in which dialect its speakers are labelled, and who they are.

A label is a speaker only with evidence: it returns, or the cast names it, or the dialect is certain because
every paragraph begins with one. Each dialect is surveyed over all lines; `form` compares the surveys.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from enum import Enum

from pipeline.script.directions import names_a_sound
from pipeline.script.forms import labels, structure
from pipeline.script.forms.labels import Label
from pipeline.script.forms.structure import Line
from pipeline.script.names import identity
from pipeline.script.vocabulary import Kind, kind

_MOST, _HALF, _SOME = 0.8, 0.5, 0.2
_FIRM = ("colon", "tag", "bracket", "handle")
"""Dialects whose sign marks labels more often than words; the others need nearly every line."""
_HEADS = ("heading", "time")
"""Dialects with the name on a line of its own, the words below it."""


class Verdict(Enum):
    """Outcome of a survey."""

    LABELS = 2
    TIE = 1
    """Some evidence, not enough: a person must say."""
    NOTHING = 0


@dataclass(slots=True)
class Survey:
    """The would-be labels of one dialect in a text."""

    dialect: str
    found: dict[int, Label] = field(default_factory=dict)
    """Would-be labels that may be speakers, by line."""
    cues: dict[int, Label] = field(default_factory=dict)
    """Sound cues in the dialect's dress: `SFX: a door`."""
    spoken: dict[int, Label] = field(default_factory=dict)
    """Would-be labels that are words: `Chapter 2:`."""
    phrases: dict[int, Label] = field(default_factory=dict)
    """Common words in lower case that stand before the sign once: words, or a name that nobody can know."""
    counts: Counter[str] = field(default_factory=Counter)
    """Count of each identity."""
    coverage: float = 0.0
    """Share of paragraphs, or of lines if that is larger, that begin with a would-be label."""
    whole: bool = False
    """True if every paragraph, or every line, begins with one."""
    verdict: Verdict = Verdict.NOTHING

    @property
    def sure(self) -> set[str]:
        """Identities that return."""
        return {key for key, count in self.counts.items() if count > 1}

    @property
    def score(self) -> float:
        """Lines explained; labels that return count in full, the others half."""
        return sum(count if count > 1 else 0.5 for count in self.counts.values())


def survey(dialect: str, lines: Sequence[Line], cast: Collection[str]) -> Survey:
    """Look for one dialect's labels in a text.

    Args:
        cast: identities of speakers that are named beside the script.
    """
    result = Survey(dialect)
    candidates = _structural(dialect, lines) if dialect in (*_HEADS, "bracket") else _speech(lines)
    for line in candidates:
        label = labels.match(dialect, line.text)
        if label is not None:
            _sort(result, line.number, label, cast)
    _drop_phrases(result, cast)
    if dialect in labels.INLINE:
        _count_inline(result, candidates)
    _drop_quoters(result)
    known = set(result.counts)
    for number in [number for number, label in result.found.items() if label.comma]:
        _settle_comma(result, number, known)
    if result.found:
        _measure(result, lines)
        result.verdict = _judged(result, cast)
    return result


def _speech(lines: Sequence[Line]) -> list[Line]:
    return [line for line in lines if line.kind == structure.SPEECH]


def _structural(dialect: str, lines: Sequence[Line]) -> list[Line]:
    kinds = {
        "heading": (structure.HEADING,),
        "time": (structure.SPEECH,),
        "bracket": (structure.SPEECH, structure.DIRECTION),
    }[dialect]
    return [line for line in lines if line.kind in kinds]


def _sort(result: Survey, number: int, label: Label, cast: Collection[str]) -> None:
    key = identity(label.name)
    if result.dialect in _HEADS and not (label.strict or key in cast or _is_nick(result.dialect, label)):
        return
    what = Kind.SPEAKER if key in cast else kind(label.name)
    if result.dialect in ("bracket", "tag", "bold") and key not in cast and names_a_sound(label.name):
        return
    if what is Kind.CUE:
        result.cues[number] = label
    elif what is Kind.SPOKEN:
        result.spoken[number] = label
    else:
        result.found[number] = label
        if not label.comma:
            result.counts[key] += 1


def _is_nick(dialect: str, label: Label) -> bool:
    """Tell whether it is a name of one word in lower case beside a time, as in chats."""
    return dialect == "time" and " " not in label.name and kind(label.name) is Kind.SPEAKER


def _drop_phrases(result: Survey, cast: Collection[str]) -> None:
    """Set common words in lower case apart that stand before a sign once: `one thing left: hope`."""
    for number, label in list(result.found.items()):
        key = identity(label.name)
        once = result.counts[key] < 2 and key not in cast
        if once and labels.is_inverted(label.name):  # `Theo, Nora: come!`
            del result.found[number]
            result.counts.pop(key, None)
        elif once and not label.strict and kind(label.name) is Kind.DOUBTFUL:
            result.phrases[number] = result.found.pop(number)
            result.counts.pop(key, None)


def _count_inline(result: Survey, lines: Sequence[Line]) -> None:
    """Count labels within lines: of those who are known, and of those whom nobody can take for words."""
    for line in lines:
        if line.number not in result.found:
            continue
        text = result.found[line.number].words
        for found in labels.INLINE[result.dialect].finditer(text):
            key = identity(found[1])
            closed = f"</{found[1]}>" in text and not found[0].startswith("</")
            if key in result.counts and not found[0].startswith("</"):
                result.counts[key] += 1
            elif kind(found[1]) is Kind.NUMBERED or (closed and not labels.is_markup(found[1])):
                result.counts[key] = 1


def _drop_quoters(result: Survey) -> None:
    """Drop the "names" that never have more than a quotation behind them, where there are no capitals.

    Prose in Chinese says `小明说：“你好。”` as a label would.
    """
    speaking = {
        identity(label.name)
        for label in result.found.values()
        if not (label.name.lower() == label.name.upper() and _is_quotation(label.words))
    }
    for number, label in list(result.found.items()):
        key = identity(label.name)
        if key not in speaking and any(map(str.isalpha, key)):
            result.spoken[number] = result.found.pop(number)
            result.counts.pop(key, None)


def _is_quotation(words: str) -> bool:
    return words.lstrip().startswith(('"', "'", "「", "『"))


def _settle_comma(result: Survey, number: int, known: set[str]) -> None:
    """`Nora, laughing:` is Nora's if she is known by another line."""
    key = identity(result.found[number].name)
    if key in known:
        result.counts[key] += 1
    else:
        del result.found[number]


def _measure(result: Survey, lines: Sequence[Line]) -> None:
    speech = [line.number for line in lines if line.kind == structure.SPEECH or line.number in result.found]
    opens = _openings(lines, result)
    labelled = result.found.keys() | result.cues.keys()
    shares = [
        sum(number in labelled for number in numbers) / len(numbers) for numbers in (speech, opens) if numbers
    ]
    if result.dialect in _HEADS:  # the words below are no openings of their own
        shares = shares[1:]
    result.coverage = max(shares, default=0.0)
    result.whole = result.coverage == 1.0


def _openings(lines: Sequence[Line], result: Survey) -> list[int]:
    """First lines of paragraphs, and lines with a name alone."""
    opens, fresh = [], True
    for line in lines:
        if line.number in result.found or (line.kind == structure.SPEECH and fresh):
            opens.append(line.number)
        if line.kind == structure.SPEECH or line.number in result.found:
            fresh = False
        elif line.kind != structure.PAUSE:
            fresh = True
    if result.dialect in _HEADS:  # whatever stands below a name is that speaker's
        first = min(result.found)
        opens = [number for number in opens if number in result.found or number < first]
    return opens


def _judged(result: Survey, cast: Collection[str]) -> Verdict:
    found = list(result.found.values())
    if result.counts.keys() & set(cast) or any(kind(label.name) is Kind.NUMBERED for label in found):
        return Verdict.LABELS if result.dialect in _FIRM or result.coverage >= _HALF else Verdict.TIE
    if result.sure:
        return _judged_by_return(result)
    return _judged_once_only(result)


def _judged_by_return(result: Survey) -> Verdict:
    returning = [label for label in result.found.values() if identity(label.name) in result.sure]
    if all(kind(label.name) is Kind.DOUBTFUL for label in returning):
        return Verdict.TIE if result.coverage >= _HALF else Verdict.NOTHING
    strict = any(label.strict or label.timed or _is_nick(result.dialect, label) for label in returning)
    if result.dialect in _FIRM:
        enough = _SOME if strict and result.dialect != "bracket" else _HALF
        return Verdict.LABELS if result.coverage >= enough else Verdict.TIE
    if result.coverage >= _MOST and strict:
        return Verdict.LABELS
    return Verdict.TIE if result.coverage >= _HALF and strict else Verdict.NOTHING


def _judged_once_only(result: Survey) -> Verdict:
    """Names that never return are speakers where every paragraph begins with one and none is doubtful."""
    found = list(result.found.values())
    if result.dialect not in (*_FIRM, "bold", "time") or result.coverage < _HALF:
        return Verdict.NOTHING
    if result.dialect == "handle" and len(found) < 2:
        return Verdict.NOTHING
    named = [label for label in found if kind(label.name) is not Kind.DOUBTFUL]
    if not any(label.strict for label in named):
        plain = len(found) > 1 and len(named) == len(found) and all(" " not in label.name for label in found)
        nicks = len(found) > 1 and all(_is_nick(result.dialect, label) for label in found)
        unsure = Verdict.TIE if nicks else Verdict.NOTHING
        return unsure if not result.whole else Verdict.LABELS if plain else Verdict.TIE
    numbers = all(label.name.isdecimal() for label in found)
    doubtful = numbers or len(named) < len(found) or any(label.listed for label in found)
    lower = (len(found) > 2 or result.dialect == "bold") and all(
        label.words.lstrip()[:1].islower() for label in found
    )
    empty = result.dialect == "bracket" and not all(label.strict and label.words for label in found)
    return Verdict.LABELS if result.whole and not (doubtful or lower or empty) else Verdict.TIE
