"""Speaker verification: each line is spoken by the voice of its speaker."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import soxr

from pipeline.arrays import Samples
from pipeline.checking.full.speaker_encoder import SAMPLE_RATE_HZ, Embedding, speaker_encoder
from pipeline.checking.full.thresholds import Thresholds
from pipeline.checking.records import Finding, Material, WordTime

KNOWN_TEXT = (
    "The tide had turned before we reached the quay, and nobody spoke of it. "
    "Every year she counts the swallows under the roof, and writes the number down."
)
"""Text of a reference that an engine speaks itself."""
_EMBEDDINGS_MAX = 64

Range = tuple[float, float]
"""Start and end in seconds."""


def findings(
    material: Material, samples: Samples, ranges: Mapping[int, Sequence[Range]], thresholds: Thresholds
) -> Iterator[Finding]:
    """Compare the voice of each line with the references of the segment's speakers.

    Args:
        samples: the take, (n,), mono, at 16 kHz.
        ranges: where each line is spoken; short lines are not verified.
    """
    parts = {line: _cut(samples, spoken) for line, spoken in ranges.items()}
    lines = [line for line, part in parts.items() if len(part) >= thresholds.speaker_s * SAMPLE_RATE_HZ]
    if not lines:
        return
    references = _references(material)
    voices = np.stack(list(references.values()))
    names = list(references)
    floor = thresholds.speaker_min if material.speak is None else thresholds.speaker_spoken_min
    likeness = speaker_encoder().embed_all([parts[line] for line in lines]) @ voices.T
    for line, cosines in zip(lines, likeness, strict=True):
        own = names.index(material.segment.lines[line].speaker)
        value = float(cosines[own])
        other = float(np.max(np.delete(cosines, own), initial=-1.0))
        limit = max(floor, other - thresholds.speaker_margin)
        if value < limit:
            start_s, end_s = ranges[line][0][0], ranges[line][-1][1]
            yield Finding(
                "speaker", line, round(start_s, 2), round(end_s, 2), round(value, 3), round(limit, 3), True
            )


def line_ranges(material: Material, words: Sequence[WordTime]) -> dict[int, list[Range]]:
    """Ranges in which each line is spoken: by the engine's spans, or else by its words."""
    rate = material.audio.sample_rate_hz
    found: dict[int, list[Range]] = {}
    if all(span.lines == 1 for span in material.audio.spans):
        for span in material.audio.spans:
            found.setdefault(span.line, []).append((span.start / rate, (span.start + span.samples) / rate))
        return found
    for word in words:
        if word.confidence is not None:
            start_s, end_s = found.get(word.line, [(word.start_s, word.end_s)])[0]
            found[word.line] = [(min(start_s, word.start_s), max(end_s, word.end_s))]
    return found


def _cut(samples: Samples, ranges: Sequence[Range]) -> Samples:
    parts = [samples[round(a * SAMPLE_RATE_HZ) : round(b * SAMPLE_RATE_HZ)] for a, b in ranges]
    return np.concatenate(parts) if parts else samples[:0]


def _references(material: Material) -> dict[str, Embedding]:
    """Embeddings of the references of the segment's speakers."""
    return {name: _reference(material, name) for name in material.segment.speakers}


_embeddings: dict[tuple[str, bool], Embedding] = {}
"""Embeddings of references by voice, and by whether the engine has spoken them; made once per process."""


def _reference(material: Material, speaker: str) -> Embedding:
    key = material.voice(speaker), material.speak is not None
    found = _embeddings.get(key)  # a reference, since another thread may clear the cache
    if found is None:
        samples, rate = _reference_samples(material, speaker)
        found = speaker_encoder().embed(soxr.resample(samples, rate, SAMPLE_RATE_HZ))
        if len(_embeddings) >= _EMBEDDINGS_MAX:
            _embeddings.clear()
        _embeddings[key] = found
    return found


def _reference_samples(material: Material, speaker: str) -> tuple[Samples, int]:
    """Samples of a reference, and their rate in Hz."""
    if material.speak is not None:
        return material.speak(speaker, KNOWN_TEXT), material.profile.sample_rate_hz
    reference = material.reference(speaker)
    if reference.samples is None or reference.sample_rate_hz is None:
        raise ValueError(f"the reference of speaker {speaker!r} is no recording")
    return reference.samples, reference.sample_rate_hz
