"""What a finished job hands to whoever asked for it: references and figures, never a word of the script."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pipeline.stitching.mixer import Gap, Loudness, Stitched

VERSION = 1


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file in the artifact store."""

    name: str
    sha256: str
    """Hex, of the file's own bytes."""
    bytes: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """Readers should ignore fields that they don't know: new ones may come without a new version."""

    version: int
    job: str
    state: str
    """'done', or 'gaps' where segments are missing."""
    engine: str
    audio: Artifact
    file_format: str
    subtitles: Mapping[str, Artifact]
    """By kind: 'srt' and 'vtt'."""
    turns: Artifact
    """JSON: a list of {turn, source_line, speaker, start_s, end_s}."""
    duration_s: float
    sample_rate_hz: int
    segments: int
    gaps: tuple[Gap, ...]
    speakers: tuple[str, ...]
    loudness: Loudness
    speed: float | None
    """Audio seconds per second from submission to the finished file; None if that is not known. Of a job that
    was begun again, from then."""

    def record(self) -> dict[str, Any]:
        """As it is written to the store and returned by the task: plain JSON values."""
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
) -> Manifest:
    """Args:
    wall_s: from submission to the finished file, of a job that was begun again from then.
    """
    return Manifest(
        version=VERSION,
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
    )
