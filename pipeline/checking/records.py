"""Records of a check: the material, its findings, and the verdict that is stored.

A verdict never contains a word of the script: it names lines and positions.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any

from pipeline.arrays import Samples
from pipeline.engines.protocol import Profile, Reference
from pipeline.planning.records import PlannedSegment, SegmentAudio
from pipeline.planning.request import VERIFY
from pipeline.stored_records import VERDICT_VERSION, check_version, columns, from_rows, known, row

OFF, LIGHT, FULL = MODES = VERIFY
"""Modes of verification."""

LIGHT_KINDS = (
    *("length", "silence", "clipping", "level", "dc_offset"),
    *("cut_off", "runaway", "repetition", "noise"),
)
"""Findings that need no model.

length: less speech than the frame plan has. silence: longest silence, or its share. clipping:
share of samples at the highest level. level: of the speech. dc_offset: mean of the samples. cut_off: sound
that ends at full level. runaway: sound after the words. repetition: a stretch that repeats itself. noise:
sound without the modulation of speech.
"""
FULL_KINDS = ("words", "run", "missing_line", "repeated_line", "swapped_lines", "noise", "speaker")
"""Findings of the models.

words: word error rate of a line. run: longest run of diverging words. missing_line, repeated_line,
swapped_lines: lines of the segment that are not spoken once and in order. noise: no speech in place of
speech. speaker: another voice than the reference.
"""
DECODING = "decoding"
"""Finding of a take that the engine could not decode."""
KINDS = tuple(dict.fromkeys((*LIGHT_KINDS, *FULL_KINDS, DECODING)))

Facts = Mapping[str, str | int | float]


@dataclass(frozen=True, slots=True)
class Finding:
    """One measurement that crosses its limit."""

    kind: str
    """One of `KINDS`."""
    line: int | None
    """Index into the segment's lines; None means the whole segment."""
    start_s: float | None
    """Start in the segment's audio; None means the whole segment."""
    end_s: float | None
    value: float
    """The measurement."""
    limit: float
    """The limit that it crosses."""
    fails: bool
    """True if the take is bad; False if it is only reported."""


@dataclass(frozen=True, slots=True)
class WordTime:
    """Time of one word in the segment's audio."""

    line: int
    """Index into the segment's lines."""
    word: int
    """Index into the line's words, separated by white space."""
    start_s: float
    end_s: float
    confidence: float | None
    """0 to 1; None if the time is interpolated."""


@dataclass(frozen=True, slots=True)
class Checked:
    """Verdict on one take."""

    findings: tuple[Finding, ...] = ()
    score: float = 1.0
    """Quality of the take; 1 means that nothing is wrong, and the highest score wins."""
    deviation: str = ""
    """Hash of the kinds and of the diverging words; no more takes are made once it repeats.

    Empty if another take is worth while in any case.
    """
    words: tuple[WordTime, ...] = ()
    facts: Facts = field(default_factory=lambda: MappingProxyType({}))
    """Further measurements, for example `wer` and the language that the recogniser does not know."""

    @property
    def fails(self) -> bool:
        """True if a finding makes the take bad."""
        return any(finding.fails for finding in self.findings)

    def record(self) -> dict[str, Any]:
        """Convert to the stored record."""
        return {
            "version": VERDICT_VERSION,
            "findings": [asdict(finding) for finding in self.findings],
            "score": self.score,
            "deviation": self.deviation,
            "word_columns": columns(WordTime),
            "words": [row(word) for word in self.words],
            "facts": dict(self.facts),
        }


def checked_of(name: str, record: Mapping[str, Any]) -> Checked:
    """Read a stored verdict.

    Raises:
        NewerRecordError: a later release wrote it.
    """
    check_version(name, record, VERDICT_VERSION)
    findings = record["findings"]
    return Checked(
        tuple(known(Finding, found) for found in findings),
        record["score"],
        record["deviation"],
        tuple(from_rows(WordTime, record.get("word_columns", ()), record.get("words", ()))),
        MappingProxyType(record.get("facts", {})),
    )


@dataclass(frozen=True, slots=True)
class Material:
    """A take and what it is compared with, made by `pipeline.stages`."""

    segment: PlannedSegment
    audio: SegmentAudio
    samples: Samples
    """(n,), float32, mono, at the profile's sample rate; neither levelled nor clipped."""
    frames_expected_s: float | None
    """Duration by the frame plan; None if the plan is no longer stored."""
    language: str
    """Language of the script, as an ISO 639-1 code."""
    profile: Profile
    voice: Callable[[str], str]
    """Unique name of a speaker's voice, by the speaker's name; it includes the engine and its options."""
    reference: Callable[[str], Reference]
    """Read the reference of a speaker, by the speaker's name."""
    speak: Callable[[str, str], Samples] | None = None
    """Speak a text (second) in a speaker's voice (first), at the profile's sample rate.

    None if voices are not verified by what the engine itself makes of them.
    """
