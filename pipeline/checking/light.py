"""Light check of a take: its measurements against the frame plan and limits, without any model.

The limits leave room on both sides: sound speech is far from them, and so are takes that are bad.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from pipeline.canonical_json import canonical_json
from pipeline.checking.measures import MEASURES_VERSION, Measures, measure
from pipeline.checking.records import Checked, Finding, Material
from pipeline.engines.protocol import Profile
from pipeline.planning.records import PlannedSegment


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of a sound take."""

    version: int = 1
    """Version of the rules that apply them."""
    longest: float = 1.75
    """Duration in proportion to the plan, in addition to `longest_more_s`."""
    longest_more_s: float = 2.0
    shortest: float = 0.5
    """Duration in proportion to the plan, after `shortest_less_s` is subtracted."""
    shortest_less_s: float = 0.5
    silence_s: float = 4.0
    """Longest silence. Pauses that a script requests are not part of a take."""
    silent: float = 0.6
    """Share of silence in a take of at least `silent_from_s`."""
    silent_from_s: float = 6.0
    speech_rms_min: float = 0.001
    """Level of speech, -60 dBFS."""
    dc_offset: float = 0.3
    """Mean of all samples in proportion to their RMS."""
    clipped: float = 0.02
    """Share of samples at the highest level, in any second."""
    end_level: float = 0.5
    """Level of the last 30 ms in proportion to the speech."""
    flat_ratio: float = 3.0
    """Ratio of loud to quiet frames; noise is below it."""
    repeat_correlation: float = 0.97
    repeat_words: int = 5
    """Words in sequence that a script repeats itself, so that the sound may."""


LIMITS = Limits()
_REPORTED = 0.1
"""Weight of a finding that does not fail the take."""


def identity(limits: Limits = LIMITS) -> str:
    """Name of this check: a hash of its measurements' version and its limits."""
    content = canonical_json([MEASURES_VERSION, asdict(limits)])
    return f"light-{hashlib.sha256(content).hexdigest()[:8]}"


def check(material: Material) -> Checked:
    """Measure a take and judge it."""
    measures = measure(material.samples, material.profile.sample_rate_hz)
    expected_s = planned_s(material.frames_expected_s, material.segment, material.profile)
    return judge(measures, material.segment, expected_s)


def planned_s(frames_expected_s: float | None, segment: PlannedSegment, profile: Profile) -> float:
    """Expected duration of a take: by its frame plan, or else by its words."""
    return frames_expected_s or segment.words / profile.words_per_s


def judge(measures: Measures, segment: PlannedSegment, expected_s: float, limits: Limits = LIMITS) -> Checked:
    """Compare measurements with the limits.

    Args:
        expected_s: duration by the plan.
    """
    if measures.speech_rms < limits.speech_rms_min:  # nothing else can be measured of silence
        found = [Finding("level", None, None, None, measures.speech_rms, limits.speech_rms_min, True)]
    else:
        found = [
            *_length(measures, expected_s, limits),
            *_silence(measures, limits),
            *_waveform(measures, limits),
            *_repetition(measures, segment, limits),
        ]
    return Checked(tuple(found), _score(found), _deviation(found, measures.duration_s))


def _length(measures: Measures, expected_s: float, limits: Limits) -> Iterator[Finding]:
    longest_s = round(limits.longest * expected_s + limits.longest_more_s, 2)
    shortest_s = round(limits.shortest * expected_s - limits.shortest_less_s, 2)
    if measures.duration_s > longest_s:
        yield Finding("runaway", None, longest_s, measures.duration_s, measures.duration_s, longest_s, True)
    spoken_s = round(measures.duration_s * (1 - measures.silent), 2)
    if spoken_s < shortest_s:
        yield Finding("length", None, None, None, spoken_s, shortest_s, True)
    if measures.end_level > limits.end_level:
        end_s = measures.duration_s
        yield Finding("cut_off", None, end_s, end_s, measures.end_level, limits.end_level, True)


def _silence(measures: Measures, limits: Limits) -> Iterator[Finding]:
    if measures.silence_s > limits.silence_s:
        start_s = measures.silence_at_s
        end_s = round(start_s + measures.silence_s, 2)
        yield Finding("silence", None, start_s, end_s, measures.silence_s, limits.silence_s, True)
    elif measures.silent > limits.silent and measures.duration_s >= limits.silent_from_s:
        yield Finding("silence", None, None, None, measures.silent, limits.silent, True)


def _waveform(measures: Measures, limits: Limits) -> Iterator[Finding]:
    if measures.dc_offset > limits.dc_offset:
        yield Finding("dc_offset", None, None, None, measures.dc_offset, limits.dc_offset, True)
    if measures.clipped > limits.clipped:
        start_s = measures.clipped_at_s
        yield Finding("clipping", None, start_s, start_s + 1.0, measures.clipped, limits.clipped, True)
    if measures.flat_ratio < limits.flat_ratio:
        start_s = measures.flat_at_s
        yield Finding("noise", None, start_s, start_s + 2.5, measures.flat_ratio, limits.flat_ratio, True)


def _repetition(measures: Measures, segment: PlannedSegment, limits: Limits) -> Iterator[Finding]:
    if measures.repeat_correlation > limits.repeat_correlation:
        fails = not _text_repeats(segment, limits.repeat_words)
        start_s = measures.repeat_at_s
        value, limit = measures.repeat_correlation, limits.repeat_correlation
        yield Finding("repetition", None, start_s, round(start_s + 3.0, 2), value, limit, fails)


def _text_repeats(segment: PlannedSegment, words: int) -> bool:
    """True if any sequence of so many words occurs twice."""
    spoken = [
        "".join(filter(str.isalnum, word)) for line in segment.lines for word in line.text.casefold().split()
    ]
    spoken = [word for word in spoken if word]
    counted = Counter(tuple(spoken[i : i + words]) for i in range(len(spoken) - words + 1))
    return max(counted.values(), default=0) > 1


def _score(findings: list[Finding]) -> float:
    """1 without findings; the lower, the further they are beyond their limits.

    >>> _score([Finding("silence", None, None, None, 8.0, 4.0, True)])
    0.333333
    """
    weight = sum(_excess(finding) * (1.0 if finding.fails else _REPORTED) for finding in findings)
    return round(1 / (1 + weight), 6)


def _excess(finding: Finding) -> float:
    """Ratio by which a measurement is beyond its limit, from 1 to 100."""
    low, high = sorted((abs(finding.value), abs(finding.limit)))
    return min(100.0, high / low) if low else 100.0


def _deviation(findings: list[Finding], duration_s: float) -> str:
    """Hash of the failing kinds and their places, in tenths of the take."""
    places = sorted(
        (finding.kind, round(10 * (finding.start_s or 0.0) / max(duration_s, 0.1)))
        for finding in findings
        if finding.fails
    )
    return hashlib.sha256(canonical_json(places)).hexdigest()[:16] if places else ""
