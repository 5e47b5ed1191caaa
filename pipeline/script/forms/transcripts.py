"""Layouts of transcripts and of meetings' exports, brought into the layout of one label per line.

Every function gives back as many lines as it takes, so that words keep their lines' numbers.
"""

import itertools
import re
from collections.abc import Sequence

from pipeline.script.forms import labels
from pipeline.script.names import identity
from pipeline.script.turns import Findings
from pipeline.script.vocabulary import Kind, kind

_BLOCK = "title block"
_KEYS = re.compile(r"\s*(?:SUMMARY KEYWORDS|KEYWORDS|SPEAKERS|PARTICIPANTS|DRAMATIS PERSON(?:AE|Æ))\s*")
_HEAD_LINES = 40
_CREDIT = re.compile(
    r"\s*(?:(?:automatically |auto-)?(?:transcribed|transcription|transcript|captioned|subtitled|subtitles)"
    r" (?:by|generated|provided|created|with|made)\b.{0,120}|this (?:transcript|text|file) (?:was|is) "
    r"(?:automatically |auto-|machine[ -])?(?:generated|exported|transcribed|created|produced)\b.{0,160}"
    r"|unknown speaker legend.*)",
    re.IGNORECASE,
)
_LONG_TIME = re.compile(
    r"(?:^|(?<=\S)\s+)(?:(?P<h>\d+) hours? )?(?:(?P<m>\d+) minutes? )?(?P<s>\d+) seconds?"
    r"(?:\d{1,2}(?::\d{2}){1,2})?\s*$"
)
_AGE = re.compile(r"\s*(?:\d+ (?:hours?|minutes?|seconds?)(?:, )?)+\s*")
_NUMBER = re.compile(r"\s*(?P<number>\d{1,5})(?:\s*[|:](?!\d)\s*|\s+[-–—]\s+|\t+|\s+)(?=\S)")
_ENOUGH = 0.8


def arranged(texts: Sequence[str], findings: Findings) -> list[str]:
    """The lines with one label on each, where they come from a program that does otherwise."""
    found = list(texts)
    for step in (
        _with_short_times,
        _without_head,
        _without_credits,
        _without_numbers,
        _with_times_beside_names,
    ):
        found = step(found, findings)
    return found


def _with_short_times(texts: list[str], _findings: Findings) -> list[str]:
    """Times as Teams writes them, `0 minutes 3 seconds0:03`, in one way, and no name above its repetition."""
    found = [_LONG_TIME.sub(_short_time, text) for text in texts]
    if found == texts:
        return texts
    for i in range(2, len(found)):
        repeated = f"{found[i - 2].strip()} {found[i - 1].strip()}" == found[i].strip()
        if repeated and labels.is_time(found[i - 1]):
            found[i - 2 : i] = ["", ""]
    return found


def _short_time(found: re.Match[str]) -> str:
    hours, minutes, seconds = (int(found[unit] or 0) for unit in ("h", "m", "s"))
    return f" {hours}:{minutes:02}:{seconds:02}"


def _without_head(texts: list[str], findings: Findings) -> list[str]:
    """Leave out the lines before the first label where keys such as `SPEAKERS` say that it is no speech."""
    key = next((i for i, text in enumerate(texts[:_HEAD_LINES]) if _KEYS.fullmatch(text)), None)
    if key is None:
        return texts
    first = next((i for i in range(key, len(texts)) if _begins(texts, i)), None)
    return _blanked(texts, range(first), _BLOCK, findings) if first else texts


def _begins(texts: Sequence[str], position: int) -> bool:
    """Tell whether a line begins a turn: a label, or a name or nobody above a time."""
    text = texts[position]
    below = texts[position + 1] if position + 1 < len(texts) else ""
    found = labels.match("time", text) or labels.match("colon", text)
    named = found is not None and kind(found.name) in (Kind.SPEAKER, Kind.NUMBERED)
    return named or labels.is_time(text) or (labels.is_name(text) and labels.is_time(below))


def _without_credits(texts: list[str], findings: Findings) -> list[str]:
    """Leave out the line that names the program, at the start or the end."""
    filled = [i for i, text in enumerate(texts) if text.strip()]
    edges = {*filled[:3], *filled[-3:]} if len(filled) > 3 else ()
    return _blanked(texts, [i for i in edges if _CREDIT.fullmatch(texts[i])], _BLOCK, findings)


def _without_numbers(texts: list[str], findings: Findings) -> list[str]:
    """Leave out line numbers before labels."""
    filled = [i for i, text in enumerate(texts) if text.strip()]
    found = {i: match for i in filled if (match := _NUMBER.match(texts[i]))}
    numbers = [int(match["number"]) for match in found.values()]
    rising = sum(after == before + 1 for before, after in itertools.pairwise(numbers))
    if len(numbers) < 3 or len(numbers) < _ENOUGH * len(filled) or rising < len(numbers) - 1:
        return texts
    rest = {i: texts[i][match.end() :] for i, match in found.items()}
    labelled = [label for text in rest.values() if (label := labels.match("colon", text)) and label.strict]
    if 2 * len(labelled) < len(rest):
        return texts
    for i, match in found.items():
        findings.omit(i + 1, "line number", match["number"])
    return [rest.get(i, text) for i, text in enumerate(texts)]


def _with_times_beside_names(texts: list[str], findings: Findings) -> list[str]:
    """Join names and times that stand on two lines: the time below the name, or above it."""
    found = _without_ages(texts, findings)
    below = [i for i in range(len(found) - 2) if _is_pair(found, i, i + 1, i + 2)]
    first = next((text for text in found if text.strip()), "")
    above = [
        i for i in range(1, len(found) - 1) if labels.is_time(first) and _is_pair(found, i, i - 1, i + 1)
    ]
    for pairs, time in ((below, 1), (above, -1)):
        if _are_people([found[i] for i in pairs]):
            for i in pairs:
                head = f"{found[i].strip()} {found[i + time].strip()}"
                found[max(i, i + time)], found[min(i, i + time)] = head, ""
            return found
    return found


def _is_pair(texts: Sequence[str], name: int, time: int, words: int) -> bool:
    text = texts[name]
    if not text.strip() or not labels.is_time(texts[time]) or not texts[words].strip():
        return False
    return labels.is_name(text) and not labels.is_time(texts[words]) and not labels.is_time(text)


def _are_people(names: Sequence[str]) -> bool:
    """Tell whether lines are names of speakers: two at least, of whom no word is a chapter or a phrase."""
    kinds = [kind(name) for name in names]
    if len(names) < 2 or Kind.SPOKEN in kinds or Kind.CUE in kinds:
        return False
    returning = len(set(map(identity, names))) < len(names)
    return returning or Kind.DOUBTFUL not in kinds


def _without_ages(texts: list[str], findings: Findings) -> list[str]:
    """Leave out `4 seconds` below a time, as YouTube shows it."""
    positions = [
        i
        for i in range(1, len(texts))
        if _AGE.fullmatch(texts[i]) and (labels.is_time(texts[i - 1]) or _is_among_ages(texts, i))
    ]
    return _blanked(texts, positions, "time", findings) if len(positions) > 1 else list(texts)


def _is_among_ages(texts: Sequence[str], position: int) -> bool:
    return any(labels.is_time(text) for text in texts[max(0, position - 3) : position])


def _blanked(
    texts: Sequence[str], positions: Sequence[int] | range, what: str, findings: Findings
) -> list[str]:
    chosen = set(positions)
    for i in sorted(chosen):
        if texts[i].strip():
            findings.omit(i + 1, what, texts[i])
    return ["" if i in chosen else text for i, text in enumerate(texts)]
