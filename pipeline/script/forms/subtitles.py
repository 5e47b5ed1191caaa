"""Subtitles (SubRip and WebVTT), to events: times and numbers are left out, voices are speakers."""

import html
import itertools
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from pipeline.script.events import Event, pause_between, speaker, words
from pipeline.script.forms import labels
from pipeline.script.names import identity
from pipeline.script.turns import NARRATOR, Findings
from pipeline.script.vocabulary import Kind, kind

_TIME = r"(?:\d{1,3}:)?\d{1,2}:\d{2}[.,]\d{1,3}"
_ARROW = re.compile(
    rf"\s*(?P<start>{_TIME})\s*-->\s*(?P<end>{_TIME})(?P<settings>.*)"
    r"|(?P<first>\d{1,2}:\d{2}:\d{2}\.\d{3}),(?P<last>\d{1,2}:\d{2}:\d{2}\.\d{3})\s*"
)
"""A cue's times, as in SubRip and WebVTT, or as in YouTube's SBV."""
_STYLE = re.compile(
    r"</?(?:i|b|u|s|c|ruby|rt|font|lang)(?:[.\s][^<>]*)?>|\{\\[^{}]*\}|<\d[\d:.]*>", re.IGNORECASE
)
_VOICE = re.compile(r"<v(?:\.[^\s<>]*)?\s+([^<>]{1,80})>")
_DASH = re.compile(r"\s*[-–—]\s*(?=\S)")
_CHEVRONS = re.compile(r"\s*>{2,3}\s*")
_ROLLING_S = 0.05
_ROLLING_MIN = 3
"""Fewer cues do not show whether captions roll up."""
_PARAGRAPH_S = 2.0
"""A longer silence between two cues parts paragraphs."""


@dataclass(frozen=True, slots=True)
class _Cue:
    line: int
    """Number of its first line of text."""
    start_s: float
    end_s: float
    texts: tuple[str, ...]


def is_vtt(text: str) -> bool:
    """Tell whether a text is WebVTT."""
    return text.lstrip("\ufeff \n").startswith("WEBVTT")


def is_srt(text: str) -> bool:
    """Tell whether a text begins with a number and a time, or a time, as SubRip does."""
    head = [line for line in text[:4000].split("\n") if line.strip()][:2]
    return any(_ARROW.fullmatch(line) for line in head)


def read(text: str, findings: Findings, cast: Collection[str] = ()) -> Iterator[Event]:
    """Read subtitles; a cue that goes on where the last one broke off continues its turn, if not timed.

    Args:
        cast: identities that are speakers, wherever they stand before a colon or in brackets.
    """
    cues = _unrolled(list(_cues(text.split("\n"), findings)), findings)
    if not cues:
        findings.problem(1, "has no cue with words in it")
    labelled = _labelled(cues, cast, findings)
    current, before = identity(NARRATOR), None
    for cue in cues:
        if findings.timed:
            yield Event(cue.line, "start", start_ms=round(cue.start_s * 1000))
        elif before is not None and (cue.start_s - before.end_s > _PARAGRAPH_S or _ended(before)):
            yield pause_between(cue.line)
        for offset, line in enumerate(cue.texts):
            for name, said in _voices(line, labelled):
                if name is not None:
                    if identity(name) != current or before is None or _ended(before):
                        yield speaker(cue.line + offset, name)
                    current = identity(name)
                elif said and _DASH.match(line) and offset:
                    yield pause_between(cue.line + offset)
                yield words(cue.line + offset, said)
        before = cue


def _unrolled(cues: list[_Cue], findings: Findings) -> list[_Cue]:
    """Captions that roll up, without the lines that the cue before shows already."""
    repeats = [_repeated(before, cue) for before, cue in itertools.pairwise(cues)]
    if len(cues) < _ROLLING_MIN or 2 * sum(map(bool, repeats)) <= len(repeats):
        return cues
    found = cues[:1]
    for cue, count in zip(cues[1:], repeats, strict=True):
        for offset, line in enumerate(cue.texts[:count]):
            findings.omit(cue.line + offset, "repeated caption", line)
        if count < len(cue.texts):
            found.append(replace(cue, line=cue.line + count, texts=cue.texts[count:]))
    return found


def _repeated(before: _Cue, cue: _Cue) -> int:
    """Number of the first lines of a cue that are the last ones of the cue before."""
    if cue.start_s - before.end_s > _ROLLING_S:
        return 0
    lengths = range(min(len(before.texts), len(cue.texts)), 0, -1)
    last, first = (tuple(map(str.strip, texts)) for texts in (before.texts, cue.texts))
    return next((count for count in lengths if last[-count:] == first[:count]), 0)


def _cues(lines: Sequence[str], findings: Findings) -> Iterator[_Cue]:
    position = 0
    while position < len(lines):
        arrow = _ARROW.fullmatch(lines[position])
        if arrow is None:
            position += 1
            continue
        begin = position + 1
        while begin < len(lines) and lines[begin].isspace():  # an empty first line of two
            begin += 1
        end = begin
        while end < len(lines) and lines[end].strip() and not _ARROW.fullmatch(lines[end]):
            end += 1
        texts = tuple(lines[begin:end])
        if end < len(lines) and _ARROW.fullmatch(lines[end]) and texts and texts[-1].strip().isdecimal():
            texts = texts[:-1]  # the next cue's number, where the blank line is missing
        findings.omit(position + 1, "cue time", arrow[0])
        if any(text.strip() for text in texts):
            yield _Cue(
                begin + 1,
                _seconds(arrow["start"] or arrow["first"]),
                _seconds(arrow["end"] or arrow["last"]),
                tuple(map(_unstyled, texts)),
            )
        position = end


def _seconds(clock: str) -> float:
    parts = [float(part) for part in clock.replace(",", ".").split(":")]
    return sum(part * float(60**power) for power, part in enumerate(reversed(parts)))


def _unstyled(text: str) -> str:
    return html.unescape(_STYLE.sub("", text)).replace("\u200e", "")


def _ended(cue: _Cue) -> bool:
    last = re.sub(r"</[^<>]*>", "", cue.texts[-1]).rstrip()
    return last.endswith((".", "!", "?", "…", '"', "”", ")", "]", "♪"))


def _labelled(cues: Sequence[_Cue], cast: Collection[str], findings: Findings) -> set[str]:
    """Identities that stand before a colon or in brackets at the head of cues, and are speakers.

    Names before a colon that are none are read aloud, with a notice.
    """
    counts: dict[str, int] = {}
    firm = set(cast)
    aloud: dict[str, int] = {}
    for cue in cues:
        for offset, line in enumerate(cue.texts):
            for dialect in ("colon", "bracket"):
                label = labels.match(dialect, _CHEVRONS.sub("", line))
                if label is None or not label.words.strip() or kind(label.name) in (Kind.SPOKEN, Kind.CUE):
                    continue
                key = identity(label.name)
                counts[key] = counts.get(key, 0) + 1
                if dialect == "colon":
                    aloud.setdefault(key, cue.line + offset)
                if dialect == "colon" and (label.name.isupper() or kind(label.name) is Kind.NUMBERED):
                    firm.add(key)
    returning = {key for key, count in counts.items() if count > 1}
    every = sum(counts.values()) >= len(cues)
    found = firm | returning | (set(counts) if every else set())
    for key, number in aloud.items():
        if key not in found:
            findings.notice(
                number, "the words before the colon are read aloud; give `--voice NAME=…` if it is a name"
            )
    return found


def _voices(line: str, labelled: set[str]) -> Iterator[tuple[str | None, str]]:
    """The parts of a line with the names before them."""
    line = line.replace("</v>", "")
    parts = _VOICE.split(line)
    yield from _named(parts[0], labelled) if parts[0].strip() or len(parts) == 1 else ()
    for name, said in zip(parts[1::2], parts[2::2], strict=True):
        yield name.strip(), _DASH.sub("", said, count=1) if _DASH.match(said) else said


def _named(line: str, labelled: set[str]) -> Iterator[tuple[str | None, str]]:
    bare = _CHEVRONS.sub("", line)
    for dialect in ("colon", "bracket"):
        label = labels.match(dialect, bare)
        if label is not None and identity(label.name) in labelled:
            yield label.name, label.words
            return
    yield None, _DASH.sub("", bare, count=1) if _DASH.match(bare) else bare
