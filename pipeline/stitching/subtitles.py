"""Subtitles in SubRip and WebVTT: one cue per sentence, or per part of a long sentence.

Cues have at most two lines of 42 characters, the usual limit of broadcasters. Times within a span are not
measured but divided by how long the text is spoken.
"""

import html
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pipeline.planning.records import PlannedLine
from pipeline.script import sentences
from pipeline.stitching.alignment import Caption, Captions
from pipeline.stitching.timeline import Timeline, TimelineItem, line_times

LINE_CHARACTERS = 42
CUE_CHARACTERS = 2 * LINE_CHARACTERS

_CLAUSE_ENDS = tuple(",;:…—–，；、")
_TAG = re.compile(r"<(?=/?[A-Za-z])|\{(?=\\)")


@dataclass(frozen=True, slots=True)
class Cue:
    start_ms: int
    end_ms: int
    speaker: str
    text: str


def cues(timeline: Timeline, written: Mapping[int, str] | None = None) -> tuple[Cue, ...]:
    """Cues of the timeline, in order and without overlap; gaps have none.

    Args:
        written: texts of turns that are spoken in other words, by the turn's index.
    """
    captions = Captions(written or {}, _lines(timeline) if written else ())
    return tuple(cue for item in timeline.items for cue in _cues(item, captions, timeline.sample_rate_hz))


def _lines(timeline: Timeline) -> list[PlannedLine]:
    """All lines in order, each once: a line of several sentences has several pieces."""
    lines: list[PlannedLine] = []
    for item in timeline.items:
        lines += [line for line in item.lines if not lines or line is not lines[-1]]
    return lines


def _cues(item: TimelineItem, captions: Captions, sample_rate_hz: int) -> Iterator[Cue]:
    if item.span is None:
        captions.skip(item)
        return
    for start, end, line, text in _spoken(item, item.span.text):
        caption = captions.of(line.turn, text)
        yield from _shared_out(start, end, sample_rate_hz, line.speaker, caption)


def _spoken(item: TimelineItem, text: str) -> list[tuple[int, int, PlannedLine, str]]:
    """Yield (first sample, last, line, words), one per line of the item."""
    if len(item.lines) == 1:
        return [(item.start, item.start + item.samples, item.lines[0], text)]
    return [(time.start, time.end, time.line, time.line.text) for time in line_times(item)]


def _shared_out(start: int, end: int, sample_rate_hz: int, speaker: str, caption: Caption) -> Iterator[Cue]:
    parts = [part for sentence in sentences.split(caption.text) for part in readable(sentence)]
    weights = list(_weights(parts, caption))
    total, passed = sum(weights), 0
    for part, weight in zip(parts, weights, strict=True):
        first = start + (end - start) * passed // total
        passed += weight
        last = start + (end - start) * passed // total
        yield Cue(first * 1000 // sample_rate_hz, last * 1000 // sample_rate_hz, speaker, part)


def _weights(parts: Sequence[str], caption: Caption) -> Iterator[int]:
    """Relative length of each part as spoken, at least 1."""
    position = 0
    for part in parts:
        position = max(position, caption.text.find(part, position))
        yield max(1, sum(caption.weights[position : position + len(part)]))
        position += len(part)


def readable(sentence: str) -> list[str]:
    """Split a sentence into parts that fit one cue, after a clause if possible, else between words.

    >>> readable("Short enough.")
    ['Short enough.']
    """
    words = [part for word in sentence.split(" ") for part in _broken(word)]
    parts = []
    while words:
        cut = _cut(words)
        parts.append(" ".join(words[:cut]))
        words = words[cut:]
    return parts


def _broken(word: str) -> list[str]:
    """Split a word longer than a cue (a URL, a script without spaces) into parts."""
    return [word[i : i + CUE_CHARACTERS] for i in range(0, len(word), CUE_CHARACTERS)]


def _cut(words: Sequence[str]) -> int:
    """Number of words in the next cue."""
    fit = 1
    while fit < len(words) and len(wrapped(" ".join(words[: fit + 1]))) <= 2:
        fit += 1
    if fit == len(words):
        return fit
    clauses = [i for i in range(max(1, fit // 3), fit + 1) if words[i - 1].endswith(_CLAUSE_ENDS)]
    if clauses:
        return clauses[-1]
    left = len(" ".join(words))
    return fit if left > 2 * CUE_CHARACTERS else max(1, min(fit, _middle(words)))


def _middle(words: Sequence[str]) -> int:
    """Number of words with half of the characters, so that no single word remains."""
    half, passed = len(" ".join(words)) / 2, 0
    for count, word in enumerate(words, 1):
        passed += len(word) + 1
        if passed >= half:
            return count
    return len(words)


def wrapped(text: str) -> list[str]:
    """Wrap the text to lines of at most `LINE_CHARACTERS`."""
    return textwrap.wrap(text, LINE_CHARACTERS, break_on_hyphens=False)


def srt(spoken: Iterable[Cue]) -> str:
    """Render SubRip. It has no escapes, so arrows and tags are replaced by look-alike characters."""
    return "".join(
        f"{number}\n{_clock(cue.start_ms, ',')} --> {_clock(cue.end_ms, ',')}\n{_plain(cue.text)}\n\n"
        for number, cue in enumerate(spoken, 1)
    )


def _plain(text: str) -> str:
    text = _TAG.sub(lambda match: "‹" if match[0] == "<" else "(", text.replace("-->", "→"))
    return "\n".join(wrapped(text))


def vtt(spoken: Iterable[Cue]) -> str:
    """Render WebVTT, with speakers as voice spans."""
    return "WEBVTT\n\n" + "".join(
        f"{_clock(cue.start_ms, '.')} --> {_clock(cue.end_ms, '.')}\n<v {_escaped(cue.speaker)}>"
        + "\n".join(map(_escaped, wrapped(cue.text)))
        + "\n\n"
        for cue in spoken
    )


def _escaped(text: str) -> str:
    return html.escape(" ".join(text.split()), quote=False)


def _clock(at_ms: int, point: str) -> str:
    """Format a time; hours may exceed two digits.

    >>> _clock(3_723_004, ",")
    '01:02:03,004'
    """
    seconds, milliseconds = divmod(at_ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{point}{milliseconds:03}"
