"""Manifest of a finished job: references to its files and figures, without script text."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pipeline.stitching.marks.cue_times import Shifts, shifts
from pipeline.stitching.mixer import Gap, Loudness, Stitched
from pipeline.stitching.presets import LoudnessReport
from pipeline.stored_records import MANIFEST_VERSION


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file in the artifact store."""

    name: str
    sha256: str
    """Hash of the file's bytes, in hex."""
    bytes: int


@dataclass(frozen=True, slots=True)
class TakeFinding:
    """Finding of a check in one take of a segment."""

    segment: int
    source_line: int
    kind: str
    take: int
    value: float
    limit: float
    fails: bool
    chosen: bool
    """True if this take is in the file."""


@dataclass(frozen=True, slots=True)
class Verification:
    """Checks of a job's takes."""

    mode: str
    checker: str
    segments_checked: int
    takes_made: int
    """Takes made because one failed its check."""
    replaced: int
    """Segments with another take than the first."""
    failed: int
    """Segments whose take in the file fails its check, since no better one was made."""
    findings: tuple[TakeFinding, ...]
    """At most 200, those of the takes in the file first."""
    findings_omitted: int = 0
    languages_unchecked: tuple[str, ...] = ()
    """Languages whose words the recogniser does not know."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """Result of a job. Readers ignore unknown fields, which may be added without a new version."""

    version: int
    job: str
    state: str
    """'done', or 'gaps' if segments are missing."""
    engine: str
    audio: Artifact
    file_format: str
    subtitles: Mapping[str, Artifact]
    """Files by format: 'srt' and 'vtt'."""
    turns: Artifact
    """JSON list of {turn, source_line, speaker, start_s, end_s}."""
    duration_s: float
    sample_rate_hz: int
    segments: int
    gaps: tuple[Gap, ...]
    speakers: tuple[str, ...]
    loudness: Loudness
    speed: float | None
    """Audio seconds per second from the request, or the last restart, to the end; None if unknown."""
    script: Mapping[str, Any] | None = None
    """Summary of the script: form, speakers, words, notices; None for plans of older releases."""
    words: Artifact | None = None
    """JSON list of {word, start_s, end_s, speaker, turn, confidence}; None in manifests of older releases."""

    verify: Verification | None = None
    """None if takes are not checked."""
    revision: int = 0
    """0 for the first file; picks make further ones beside it."""
    chapters: Artifact | None = None
    """JSON list of {title, turn, segment, start_s, end_s}; None if there are no chapters."""
    cues: Artifact | None = None
    """JSON list of {turn, source_line, asked_s, start_s, shift_s}; None if the script is not timed."""
    shifts: Shifts | None = None
    """Shifts of the cues; None if the script is not timed."""
    loudness_report: LoudnessReport | None = None
    """Measurements against the limits of the job's preset; None if it has none."""

    def record(self) -> dict[str, Any]:
        """Plain JSON values, as stored and returned by the task."""
        return asdict(self)


def manifest(
    job: str,
    stitched: Stitched,
    *,
    engine: str,
    audio: Artifact,
    file_format: str,
    subtitles: Mapping[str, Artifact],
    turns: Artifact,
    segments: int,
    speakers: tuple[str, ...],
    wall_s: float | None,
    script: Mapping[str, Any] | None = None,
    words: Artifact | None = None,
    verify: Verification | None = None,
    revision: int = 0,
    chapters: Artifact | None = None,
    cues: Artifact | None = None,
) -> Manifest:
    """Build the manifest.

    Args:
        wall_s: seconds from the request, or the last restart, to the finished file.
    """
    return Manifest(
        version=MANIFEST_VERSION,
        job=job,
        state="gaps" if stitched.gaps else "done",
        engine=engine,
        audio=audio,
        file_format=file_format,
        subtitles=subtitles,
        turns=turns,
        duration_s=stitched.duration_s,
        sample_rate_hz=stitched.sample_rate_hz,
        segments=segments,
        gaps=stitched.gaps,
        speakers=speakers,
        loudness=stitched.loudness,
        speed=round(stitched.duration_s / wall_s, 2) if wall_s else None,
        script=script,
        words=words,
        verify=verify,
        revision=revision,
        chapters=chapters,
        cues=cues,
        shifts=shifts(stitched.cues) if stitched.cues else None,
        loudness_report=stitched.report,
    )
