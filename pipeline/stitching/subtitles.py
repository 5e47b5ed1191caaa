"""Subtitles in SubRip and WebVTT: one cue per sentence, or per part of a long sentence.

Cues have at most two lines of 42 characters, the usual limit of broadcasters. They follow the times of the
words where these are known; else a span is divided by how long its text is spoken.
"""

import html
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pipeline.planning.records import PlannedLine
from pipeline.script import sentences
from pipeline.stitching.alignment import Caption, Captions
from pipeline.stitching.spoken_words import Read, spoken_words
from pipeline.stitching.timeline import SpokenWord, Timeline, TimelineItem, line_times

LINE_CHARACTERS = 42
CUE_CHARACTERS = 2 * LINE_CHARACTERS

_HOLD_S = 0.3
"""Time for which a cue stays behind its last word, if nothing follows sooner."""
_CLAUSE_ENDS = tuple(",;:…—–，；、")
_TAG = re.compile(r"<(?=/?[A-Za-z])|\{(?=\\)")


@dataclass(frozen=True, slots=True)
class Cue:
    start_ms: int
    end_ms: int
    speaker: str
    text: str


@dataclass(frozen=True, slots=True)
class TimedWord:
    """A word as written, with its time in the file."""

    word: str
    start_s: float
    end_s: float
    speaker: str
    turn: int
    """Index of the turn in the script."""
    confidence: float | None
    """0 to 1; None if the time is estimated."""
    spoken: str | None = None
    """Words spoken in its place; None if it is spoken as it is written."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """Words of one line, or of a part of it, in the file."""

    start: int
    end: int
    line: PlannedLine
    caption: Caption
    words: tuple[SpokenWord, ...]
    """Times of the spoken words; empty if unknown."""
    given: str
    """Text that the engine was given."""


def cues(timeline: Timeline, written: Mapping[int, str] | None = None) -> tuple[Cue, ...]:
    """Cues of the timeline, in order and without overlap; gaps have none.

    Args:
        written: texts of turns that are spoken in other words, by the turn's index.
    """
    rate = timeline.sample_rate_hz
    return tuple(cue for piece in _pieces(timeline, written) for cue in _cues(piece, rate))


def timed_words(
    timeline: Timeline, written: Mapping[int, str] | None = None, *, read: Read = str
) -> tuple[TimedWord, ...]:
    """Words of the script with their times, in order; gaps have none.

    Args:
        read: the engine's own reading of numbers and the like.
    """
    rate = timeline.sample_rate_hz
    return tuple(word for piece in _pieces(timeline, written) for word in _timed(piece, rate, read))


def _pieces(timeline: Timeline, written: Mapping[int, str] | None) -> Iterator[_Piece]:
    captions = Captions(written or {}, _lines(timeline) if written else ())
    for item in timeline.items:
        if item.span is None:
            captions.skip(item)
            continue
        first = 0
        for start, end, line, text in _spoken(item, item.span.text):
            count = len(text.split())
            words = item.words[first : first + count]
            first += count
            known = words if len(words) == count else ()
            yield _Piece(start, end, line, captions.of(line.turn, text), known, text)


def _lines(timeline: Timeline) -> list[PlannedLine]:
    """All lines in order, each once: a line of several sentences has several pieces."""
    lines: list[PlannedLine] = []
    for item in timeline.items:
        lines += [line for line in item.lines if not lines or line is not lines[-1]]
    return lines


def _spoken(item: TimelineItem, text: str) -> list[tuple[int, int, PlannedLine, str]]:
    """Yield (first sample, last, line, words), one per line of the item."""
    if len(item.lines) == 1:
        return [(item.start, item.start + item.samples, item.lines[0], text)]
    return [(time.start, time.end, time.line, time.line.text) for time in line_times(item)]


def _cues(piece: _Piece, sample_rate_hz: int) -> Iterator[Cue]:
    parts = [part for sentence in sentences.split(piece.caption.text) for part in readable(sentence)]
    counts = [len(part.split()) for part in parts]
    times = _word_times(piece)
    if times and sum(counts) == len(times):
        bounds = _followed(piece, counts, times, round(_HOLD_S * sample_rate_hz))
    else:
        bounds = _shared_out(piece, list(_weights(parts, piece.caption)))
    for part, (first, last) in zip(parts, bounds, strict=True):
        start_ms, end_ms = first * 1000 // sample_rate_hz, last * 1000 // sample_rate_hz
        yield Cue(start_ms, end_ms, piece.line.speaker, part)


def _followed(
    piece: _Piece, counts: Sequence[int], times: Sequence[SpokenWord], hold: int
) -> list[tuple[int, int]]:
    """First and last samples of parts by their words; short breaks between parts are closed."""
    edges, first = [], 0
    for count in counts:
        edges.append((times[first].start, times[first + count - 1].end))
        first += count
    following = [start for start, _ in edges[1:]] + [max(piece.end, edges[-1][1])]
    return [(start, min(end + hold, after)) for (start, end), after in zip(edges, following, strict=True)]


def _shared_out(piece: _Piece, weights: Sequence[int]) -> list[tuple[int, int]]:
    """First and last samples of parts that share the piece by weight."""
    total, passed, bounds = sum(weights), 0, []
    for weight in weights:
        first = piece.start + (piece.end - piece.start) * passed // total
        passed += weight
        bounds.append((first, piece.start + (piece.end - piece.start) * passed // total))
    return bounds


def _word_times(piece: _Piece) -> list[SpokenWord]:
    """Times of the caption's words, from those of the spoken ones; empty if unknown."""
    if not piece.words or len(piece.caption.spoken) != len(piece.caption.text.split()):
        return []
    times = []
    for first, last in piece.caption.spoken:
        spoken = piece.words[min(first, len(piece.words) - 1) : last] or piece.words[-1:]
        known = [word.confidence for word in spoken if word.confidence is not None]
        confidence = min(known) if len(known) == len(spoken) else None
        times.append(SpokenWord(spoken[0].start, spoken[-1].end, confidence))
    return times


def _timed(piece: _Piece, sample_rate_hz: int, read: Read) -> Iterator[TimedWord]:
    words = piece.caption.text.split()
    times = _word_times(piece)
    if not times:
        bounds = _shared_out(piece, list(_weights(words, piece.caption)))
        times = [SpokenWord(first, last, None) for first, last in bounds]
    spoken = list[str | None]([None] * len(words))
    if len(piece.caption.spoken) == len(words):
        spoken = spoken_words(words, piece.given.split(), piece.caption.spoken, read)
    for word, time, said in zip(words, times, spoken, strict=True):
        start_s, end_s = round(time.start / sample_rate_hz, 3), round(time.end / sample_rate_hz, 3)
        yield TimedWord(word, start_s, end_s, piece.line.speaker, piece.line.turn, time.confidence, said)


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
        f"{number}\n{clock_time(cue.start_ms, ',')} --> {clock_time(cue.end_ms, ',')}\n{_plain(cue.text)}\n\n"
        for number, cue in enumerate(spoken, 1)
    )


def _plain(text: str) -> str:
    text = _TAG.sub(lambda match: "‹" if match[0] == "<" else "(", text.replace("-->", "→"))
    return "\n".join(wrapped(text))


def vtt(spoken: Iterable[Cue]) -> str:
    """Render WebVTT, with speakers as voice spans."""
    return "WEBVTT\n\n" + "".join(
        f"{clock_time(cue.start_ms, '.')} --> {clock_time(cue.end_ms, '.')}\n<v {_escaped(cue.speaker)}>"
        + "\n".join(map(_escaped, wrapped(cue.text)))
        + "\n\n"
        for cue in spoken
    )


def _escaped(text: str) -> str:
    return html.escape(" ".join(text.split()), quote=False)


def clock_time(at_ms: int, point: str) -> str:
    """Format a time as `HH:MM:SS.mmm`; hours may exceed two digits.

    Args:
        point: mark before the milliseconds.

    >>> clock_time(3_723_004, ",")
    '01:02:03,004'
    """
    seconds, milliseconds = divmod(at_ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{point}{milliseconds:03}"
