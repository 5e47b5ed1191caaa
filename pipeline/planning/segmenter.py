"""Segmentation of turns by content-defined chunking, so that edits stay local.

As in rsync and restic, the words around a boundary decide where it falls, not a count from the top: a turn
starts a segment if its hash is the lowest within `words_min` words on either side. A changed line changes its
own segment, and later boundaries stay. Segments that are still too long are divided evenly.

Neither boundaries nor keys depend on speakers' names or on who speaks first: a unit's hash covers its words
alone, and the slots of a segment are in the order of the voices. A renamed speaker keeps its audio.
"""

import hashlib
import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pipeline.canonical_json import canonical_json
from pipeline.engines.protocol import Line, Profile, SegmentText
from pipeline.planning.records import PlannedLine, PlannedSegment
from pipeline.script import sentences
from pipeline.script.turns import Turn
from pipeline.script.words import whole_words

CUT_VERSION = 2
"""Version of boundaries and slot numbers. Pages of two versions do not fit together.

Version 1 hashed the speaker's name with the words, and numbered slots in the order of the job's speakers.
"""
SENTENCE_WORDS_MAX = 2
"""Length of a sentence, in segments, above which it is split."""


@dataclass(frozen=True, slots=True)
class _Unit:
    """Indivisible unit: a turn, a sentence of a turn that exceeds a segment, or a part of such a sentence."""

    line: PlannedLine
    words: int
    hash: int


def plan(
    turns: Sequence[Turn],
    profile: Profile,
    *,
    speakers: Mapping[str, str],
    identity: Mapping[str, object],
    first_words: int | None = None,
    owner: str | None = None,
    chapters: Collection[int] = (),
) -> Iterator[PlannedSegment]:
    """Cut a script into segments with keys and seeds.

    Args:
        first_words: words of the first segment, for an early start; each of the next ones has twice as many,
            up to the engine's size. None cuts all by the engine's size.
        owner: owner of the segments, part of their keys and not of their seeds; None shares them with all.
        speakers: hash of each speaker's voice, by name.
        identity: everything else that shapes the sound: engine, weights, options, seed.
        chapters: turns that begin a segment, by index.
    """
    begins = set(chapters)
    head, rest = (
        _head(turns, profile, first_words, begins) if first_words else ([], _units(turns, profile.words_max))
    )
    packed = _packed(rest, profile, begins) if rest else ()
    for index, units in enumerate((*head, *packed)):
        lines = tuple(unit.line for unit in units)
        names = tuple(sorted(dict.fromkeys(line.speaker for line in lines), key=speakers.__getitem__))
        content = {
            **identity,
            "lines": [_keyed(line, names.index(line.speaker)) for line in lines],
            "voices": [speakers[name] for name in names],
        }
        digest = hashlib.sha256(canonical_json(content)).digest()
        yield PlannedSegment(
            index=index,
            key=_key(digest, owner),
            seed=int.from_bytes(digest[16:24]) >> 1,
            lines=lines,
            speakers=names,
            words=sum(unit.words for unit in units),
        )


def _key(digest: bytes, owner: str | None) -> str:
    owned = digest if owner is None else hashlib.sha256(f"{owner}/".encode() + digest).digest()
    return owned[:16].hex()


def _keyed(line: PlannedLine, slot: int) -> tuple[object, ...]:
    """The part of a segment's key that a line is; a usual rate is not part of it."""
    return (slot, line.text) if line.rate == 1.0 else (slot, line.text, line.rate)


def text_of(segment: PlannedSegment) -> SegmentText:
    """Text of a segment for the engine, with speaker slots in place of names."""
    lines = tuple(Line(segment.speakers.index(line.speaker), line.text, line.rate) for line in segment.lines)
    return SegmentText(lines, len(segment.speakers), segment.seed)


def _units(turns: Sequence[Turn], words_max: int) -> list[_Unit]:
    return [
        _unit(index, turn, position, text)
        for index, turn in enumerate(turns)
        for position, text in enumerate(_pieces(turn.text, words_max))
    ]


def _unit(index: int, turn: Turn, position: int, text: str) -> _Unit:
    line = PlannedLine(
        turn=index,
        source_line=turn.line,
        speaker=turn.speaker,
        text=text,
        pause_ms=turn.pause_ms if position == 0 else 0,
        continues=turn.continues or position > 0,
        rate=turn.rate,
    )
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return _Unit(line, whole_words(text), int.from_bytes(digest))


def _head(
    turns: Sequence[Turn], profile: Profile, first_words: int, chapters: Collection[int]
) -> tuple[list[Sequence[_Unit]], list[_Unit]]:
    """Cut the first segments small, at sentences; returns them, and the units of the rest.

    The rest begins with a turn, so that its boundaries are those of content-defined chunking.
    """
    head: list[list[_Unit]] = [[]]
    goal = first_words
    for index, turn in enumerate(turns):
        if goal >= profile.words_min:
            rest = _units(turns, profile.words_max)
            return _within_engine(head, profile, chapters), [unit for unit in rest if unit.line.turn >= index]
        for position, text in enumerate(_pieces(turn.text, min(goal, profile.words_max))):
            unit = _unit(index, turn, position, text)
            words = sum(each.words for each in head[-1])
            if words and words + unit.words > min(goal, profile.words_max):
                head.append([])
                goal *= 2
            head[-1].append(unit)
    return _within_engine(head, profile, chapters), []


def _within_engine(
    segments: Iterable[Sequence[_Unit]], profile: Profile, chapters: Collection[int]
) -> list[Sequence[_Unit]]:
    """Cut segments at chapters, and at pauses and speakers that the engine cannot have in one segment."""
    runs = [run for segment in segments if segment for run in _runs(segment, profile, chapters)]
    return [piece for run in runs for piece in _between(run, _speaker_cuts(run, profile.speakers_max))]


def _pieces(text: str, words_max: int) -> Iterator[str]:
    """Yield a turn that fits, or else its sentences, and parts of sentences that are too long."""
    if whole_words(text) <= words_max:
        yield text
        return
    for sentence in sentences.split(text):
        whole = whole_words(sentence) <= SENTENCE_WORDS_MAX * words_max
        yield from [sentence] if whole else _parts(sentence, words_max)


def _parts(sentence: str, words_max: int) -> Iterator[str]:
    halves = sentences.halves(sentence) if whole_words(sentence) > words_max else None
    if halves is None:
        yield sentence
        return
    for half in halves:
        yield from _parts(half, words_max)


def _packed(units: Sequence[_Unit], profile: Profile, chapters: Collection[int]) -> Iterator[Sequence[_Unit]]:
    for run in _runs(units, profile, chapters):
        for chunk in _chunks(run, profile.words_min):
            yield from _divided(chunk, profile)


def _runs(units: Sequence[_Unit], profile: Profile, chapters: Collection[int]) -> Iterator[Sequence[_Unit]]:
    """Cut at chapters, and at pauses if the engine cannot tell lines of a segment apart."""
    pauses = not profile.separates_lines
    cuts = [
        i
        for i, unit in enumerate(units)
        if i
        and (
            (unit.line.pause_ms and pauses)
            or (unit.line.turn in chapters and units[i - 1].line.turn != unit.line.turn)
        )
    ]
    return _between(units, cuts)


def _chunks(units: Sequence[_Unit], window_words: int) -> Iterator[Sequence[_Unit]]:
    """Cut before every unit whose hash is the lowest within the window on either side."""
    starts = list(itertools.accumulate((unit.words for unit in units), initial=0))
    cuts, left, right = [], 0, 0
    for i in range(1, len(units)):
        while starts[i] - starts[left] > window_words:
            left += 1
        while right + 1 < len(units) and starts[right + 1] - starts[i] <= window_words:
            right += 1
        own = units[i].hash
        if (
            starts[i] >= window_words
            and starts[-1] - starts[i] >= window_words
            and all(own < units[j].hash for j in range(left, i))
            and all(own <= units[j].hash for j in range(i + 1, right + 1))
        ):
            cuts.append(i)
    return _between(units, cuts)


def _divided(units: Sequence[_Unit], profile: Profile) -> Iterator[Sequence[_Unit]]:
    """Divide long chunks evenly, and cut before a speaker beyond the engine's maximum."""
    cut_before = _even_cuts(units, profile.words_max)
    for piece in _between(units, cut_before):
        yield from _between(piece, _speaker_cuts(piece, profile.speakers_max))


def _even_cuts(units: Sequence[_Unit], words_max: int) -> list[int]:
    total = sum(unit.words for unit in units)
    parts = -(-total // words_max)
    cuts: list[int] = []
    done = 0
    for i, unit in enumerate(units):
        share = total * (len(cuts) + 1) / parts
        if i and len(cuts) < parts - 1 and done + unit.words / 2 > share:
            cuts.append(i)
        done += unit.words
    return cuts


def _speaker_cuts(units: Sequence[_Unit], speakers_max: int) -> list[int]:
    cuts: list[int] = []
    heard: set[str] = set()
    for i, unit in enumerate(units):
        if unit.line.speaker not in heard and len(heard) == speakers_max:
            cuts.append(i)
            heard = set()
        heard.add(unit.line.speaker)
    return cuts


def _between(units: Sequence[_Unit], cuts: Sequence[int]) -> Iterator[Sequence[_Unit]]:
    for start, end in itertools.pairwise((0, *cuts, len(units))):
        yield units[start:end]
