"""Takes of segments by hibari, sound or with a fault that is put into the engine's work on purpose.

Faults are made as VibeVoice makes them: the engine's own voice says a line twice or leaves a sentence out,
noise, music or silence takes the place of words, sound goes on after the end, voices are exchanged.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from pipeline.arrays import Arrays, Samples
from pipeline.checking.records import Material, WordTime
from pipeline.engines.hibari.engine import Hibari
from pipeline.engines.hibari.vocal_tract import VocalTract
from pipeline.engines.protocol import Reference, Uncontrolled, Utterance
from pipeline.normalization.rules import KINDS
from pipeline.planning.records import PlannedLine, PlannedSegment, SegmentAudio
from pipeline.planning.segmenter import text_of
from pipeline.stitching import loudness

RATE_HZ = 24_000
ENGINE = Hibari()
TUNING_VOICES = {
    "low": VocalTract(ratio=0.97, pace=0.96, pitch=0.80),
    "high": VocalTract(ratio=1.10, pace=1.04, pitch=1.25),
    "large": VocalTract(ratio=0.80, pace=0.94, pitch=0.86),
    "small": VocalTract(ratio=1.21, pace=1.03, pitch=0.95),
    "quick": VocalTract(ratio=0.86, pace=1.10, pitch=1.22),
}
"""Voices beside the presets for the fixing of thresholds, as far from hibari's own as its variations."""
_WORDS_MIN = 4
"""Words of a sentence or line that is swallowed or repeated, since shorter ones are hardly noticed."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """One segment and the presets that speak it."""

    segment: PlannedSegment
    presets: Mapping[str, str]
    """Preset of each speaker's name."""


def conversation(index: int, turns: Sequence[tuple[int, str]], presets: Sequence[str]) -> Conversation:
    """Make a segment of turns.

    Args:
        turns: speakers' numbers and texts.
        presets: preset of each number.
    """
    numbers = sorted({number for number, _ in turns})
    turns = [(number, ENGINE.wording(text, KINDS).text) for number, text in turns]
    lines = [PlannedLine(i, i + 1, f"Speaker {number}", text) for i, (number, text) in enumerate(turns)]
    words = sum(len(text.split()) for _, text in turns)
    names = tuple(f"Speaker {number}" for number in numbers)
    segment = PlannedSegment(index, f"{index:032x}", index, tuple(lines), names, words)
    return Conversation(segment, {name: presets[n] for name, n in zip(names, numbers, strict=True)})


def spoken(
    conversation: Conversation, seed: int, presets: Mapping[str, str] | None = None
) -> list[Utterance]:
    """Decode a segment soundly: one utterance per sentence."""
    options = ENGINE.options({})
    segment = conversation.segment
    text = replace(text_of(segment), seed=seed)
    chosen = presets or conversation.presets
    speakers = [_speaker(chosen[name]) for name in segment.speakers]
    conditions = ENGINE.semantic(ENGINE.text(text, options), options)
    return list(ENGINE.diffusion(conditions, speakers, seed, options, Uncontrolled()))


def _speaker(voice: str) -> Arrays:
    """Embedding of a preset or of a voice for tuning."""
    tract = TUNING_VOICES.get(voice)
    if tract is None:
        return ENGINE.speaker(Reference(preset=voice), ENGINE.options({}))
    return Arrays({"tract": np.array([tract.ratio, tract.pace, tract.pitch], np.float64)})


def material(conversation: Conversation, utterances: Sequence[Utterance], *, separate: bool) -> Material:
    """Make the material of a take.

    Args:
        separate: give one span per utterance; else one for the whole segment, as of an engine that cannot
            tell lines apart.
    """
    samples, spans = loudness.spans(utterances, RATE_HZ)
    segment = conversation.segment
    if not separate:
        whole = replace(spans[0], start=0, samples=len(samples), line=0, lines=len(segment.lines))
        spans = (whole,)
    frames = ENGINE.semantic(ENGINE.text(text_of(segment), ENGINE.options({})), ENGINE.options({}))
    return Material(
        segment,
        SegmentAudio(RATE_HZ, len(samples), tuple(spans)),
        samples,
        int(frames.meta["frames"]) / ENGINE.profile.frame_rate_hz,
        "en",
        ENGINE.profile,
        lambda name: conversation.presets[name],
        lambda name: Reference(preset=conversation.presets[name]),
        speak=lambda name, text: known(conversation.presets[name], text),
    )


@cache
def known(preset: str, text: str) -> Samples:
    """Speak a text with a preset."""
    alone = conversation(0, [(0, text)], [preset])
    return np.concatenate([utterance.samples for utterance in spoken(alone, 0)])


def word_time_errors(
    conversation: Conversation, utterances: Sequence[Utterance], words: Sequence[WordTime]
) -> list[float]:
    """Seconds between the starts of aligned words and those by hibari's own durations.

    Args:
        words: of an aligner; words without a confidence were not heard and have no place.
    """
    starts: dict[tuple[int, int], float] = {}
    offset, counts = 0, dict.fromkeys(range(len(conversation.segment.lines)), 0)
    for utterance in utterances:
        for start, end in utterance.words:
            if end > start:
                starts[utterance.line, counts[utterance.line]] = (offset + start) / RATE_HZ
            counts[utterance.line] += 1
        offset += len(utterance.samples)
    return [
        abs(word.start_s - starts[word.line, word.word])
        for word in words
        if word.confidence is not None and (word.line, word.word) in starts
    ]


Fault = Callable[[Conversation, Sequence[Utterance], np.random.Generator], list[Utterance]]


def repeated_line(
    conversation: Conversation, utterances: Sequence[Utterance], chance: np.random.Generator
) -> list[Utterance]:
    """A line is said twice, the second time from other noise."""
    lines = [
        number
        for number, line in enumerate(conversation.segment.lines)
        if len(line.text.split()) >= _WORDS_MIN
    ]
    line = int(chance.choice(lines))
    again = [each for each in spoken(conversation, int(chance.integers(1 << 30))) if each.line == line]
    before = [each for each in utterances if each.line <= line]
    return [*before, *again, *utterances[len(before) :]]


def swallowed_sentence(
    conversation: Conversation, utterances: Sequence[Utterance], chance: np.random.Generator
) -> list[Utterance]:
    """A sentence is left out."""
    places = [i for i, each in enumerate(utterances) if len(each.text.split()) >= _WORDS_MIN]
    place = int(chance.choice(places))
    return [*utterances[:place], *utterances[place + 1 :]]


def three_seconds_of_noise(
    conversation: Conversation, utterances: Sequence[Utterance], chance: np.random.Generator
) -> list[Utterance]:
    """Noise takes the place of three seconds of speech."""
    samples = _joined(utterances)
    part = _stretch(samples, 3, chance)
    part[:] = chance.normal(0, _rms(samples), len(part))
    return _again(utterances, samples)


def music_over_half(
    conversation: Conversation, utterances: Sequence[Utterance], chance: np.random.Generator
) -> list[Utterance]:
    """Music is over half of the segment, as loud as the speech."""
    samples = _joined(utterances)
    half = len(samples) // 2
    start = int(chance.integers(len(samples) - half))
    played = music(half, chance)
    samples[start : start + half] += played * np.float32(_rms(samples) / _rms(played))
    return _again(utterances, samples)


def runaway(
    conversation: Conversation, utterances: Sequence[Utterance], chance: np.random.Generator
) -> list[Utterance]:
    """Sound goes on to three times the length: more speech, noise, or a tone."""
    samples = _joined(utterances)
    missing = 2 * len(samples)
    more: list[Callable[[], Samples]] = [
        lambda: np.tile(_joined(spoken(conversation, int(chance.integers(1 << 30)))), 3)[:missing],
        lambda: np.asarray(chance.normal(0, _rms(samples), missing), np.float32),
        lambda: music(missing, chance) * np.float32(_rms(samples)),
    ]
    longer = np.concatenate([samples, more[int(chance.integers(len(more)))]()])
    return [*utterances[:-1], replace(utterances[-1], samples=longer[_before(utterances) :])]


def silent_second_half(
    conversation: Conversation, utterances: Sequence[Utterance], chance: np.random.Generator
) -> list[Utterance]:
    """Nothing is heard after the middle."""
    samples = _joined(utterances)
    samples[len(samples) // 2 :] = 0
    return _again(utterances, samples)


def swapped_speakers(
    conversation: Conversation, utterances: Sequence[Utterance], chance: np.random.Generator
) -> list[Utterance]:
    """Two speakers have each other's voice."""
    first, second = chance.choice(conversation.segment.speakers, 2, replace=False).tolist()
    presets = dict(conversation.presets)
    presets[first], presets[second] = presets[second], presets[first]
    return spoken(conversation, int(chance.integers(1 << 30)), presets)


def mangled_words(
    conversation: Conversation, utterances: Sequence[Utterance], chance: np.random.Generator
) -> list[Utterance]:
    """Ten seconds become babble: syllables in another order, some of them backwards."""
    samples = _joined(utterances)
    part = _stretch(samples, 10, chance)
    syllables = np.array_split(part, max(1, round(len(part) / (0.18 * RATE_HZ))))
    order = chance.permutation(len(syllables))
    part[:] = np.concatenate([syllables[i][:: 1 if chance.random() < 0.5 else -1] for i in order])
    return _again(utterances, samples)


FAULTS: Mapping[str, Fault] = {
    "repeated line": repeated_line,
    "swallowed sentence": swallowed_sentence,
    "three seconds of noise": three_seconds_of_noise,
    "music over half": music_over_half,
    "runaway": runaway,
    "silent second half": silent_second_half,
    "swapped speakers": swapped_speakers,
    "mangled words": mangled_words,
}
LIGHT_FAULTS = ("three seconds of noise", "runaway", "silent second half")
"""Faults that the light check claims to see."""


def music(length: int, chance: np.random.Generator) -> Samples:
    """Chords of plucked strings with a bass and a beat, of RMS 1."""
    found = np.zeros(length, np.float32)
    beat = round(chance.uniform(0.25, 0.5) * RATE_HZ)
    root_hz = chance.uniform(110, 220)
    scale = 2 ** (np.array([0, 2, 4, 5, 7, 9, 11, 12]) / 12)
    for start in range(0, length, beat):
        time_s = np.arange(min(4 * beat, length - start)) / RATE_HZ
        for degree in chance.choice(scale, 3, replace=False):
            for harmonic in range(1, 6):
                tone = np.sin(2 * np.pi * root_hz * degree * harmonic * time_s)
                found[start : start + len(time_s)] += tone * np.exp(-time_s * 3) / harmonic
        drum = chance.normal(0, 1, len(time_s)) * np.exp(-time_s * 40)
        found[start : start + len(time_s)] += drum
    level: Samples = found / np.float32(_rms(found))
    return level


def _joined(utterances: Sequence[Utterance]) -> Samples:
    return np.concatenate([utterance.samples for utterance in utterances])


def _stretch(samples: Samples, seconds: int, chance: np.random.Generator) -> Samples:
    """View of a random stretch of the samples."""
    length = seconds * RATE_HZ
    start = int(chance.integers(max(1, len(samples) - length)))
    return samples[start : start + length]


def _again(utterances: Sequence[Utterance], samples: Samples) -> list[Utterance]:
    """The same utterances with other samples of the same lengths."""
    ends = np.cumsum([len(utterance.samples) for utterance in utterances])[:-1]
    parts = np.split(samples, ends)
    return [replace(each, samples=part) for each, part in zip(utterances, parts, strict=True)]


def _before(utterances: Sequence[Utterance]) -> int:
    return sum(len(utterance.samples) for utterance in utterances[:-1])


def _rms(samples: Samples) -> float:
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))
