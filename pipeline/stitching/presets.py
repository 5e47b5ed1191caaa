"""Loudness presets: the levels of a file for a purpose, and the report of its measurements against them.

- podcast: -16 LUFS in stereo (AES TD1008), that is -19 LUFS in mono, since a mono file played on two speakers
  gains 3 LU;
- audiobook: ACX's requirements of a file (level, peak, noise floor, room at the head and the tail);
- broadcast: EBU R 128.

Ceilings are half a decibel below the limits, since lossy codecs overshoot.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from pipeline.stitching.levels import Levels
from pipeline.stitching.loudness import LoudnessTargets
from pipeline.stitching.timeline import Pauses

_CORRECTED_DB = 0.3
"""Deviation from the aim above which a file is levelled once more."""


@dataclass(frozen=True, slots=True)
class Limit:
    """Range of a measurement."""

    name: str
    least: float | None = None
    most: float | None = None

    def holds(self, value: float | None) -> bool:
        """True if a value is in the range; silence, which has none, is below everything."""
        if value is None:
            return self.least is None
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)


@dataclass(frozen=True, slots=True)
class Preset:
    """Levels of a file for a purpose."""

    targets: LoudnessTargets
    limits: tuple[Limit, ...]
    aim: tuple[str, float]
    """The measurement that the gain of the whole file is made for, and its value."""
    head_ms: int = 0
    tail_ms: int = 0

    def pauses(self, *, archive: bool) -> Pauses:
        """Pauses of a file, or of an archive of one file per chapter."""
        between_ms = self.head_ms + self.tail_ms if archive else 0
        return Pauses(head_ms=self.head_ms, tail_ms=self.tail_ms, chapter_ms=between_ms)


@dataclass(frozen=True, slots=True)
class Measurement:
    """One measurement of a file against its limit."""

    name: str
    value: float | None
    """None for silence."""
    least: float | None
    most: float | None
    passed: bool
    file: int = 0
    """Number of the worst file of an archive, from 1; 0 for a single file."""


@dataclass(frozen=True, slots=True)
class LoudnessReport:
    """Result of a preset."""

    preset: str
    passed: bool
    measurements: tuple[Measurement, ...]


_TRUE_PEAK = Limit("true_peak_dbtp", most=-1.0)
PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "podcast": Preset(
            LoudnessTargets(target_lufs=-19.0, ceiling_dbtp=-1.5, yield_db=0.0),
            (Limit("lufs", -20.0, -18.0), _TRUE_PEAK),
            ("lufs", -19.0),
        ),
        "audiobook": Preset(
            LoudnessTargets(target_lufs=-19.5, ceiling_dbtp=-3.5, yield_db=0.0),
            (
                Limit("rms_dbfs", -23.0, -18.0),
                Limit("peak_dbfs", most=-3.0),
                Limit("floor_dbfs", most=-60.0),
                Limit("head_s", 0.5, 1.0),
                Limit("tail_s", 1.0, 5.0),
            ),
            ("rms_dbfs", -20.5),
            head_ms=750,
            tail_ms=2000,
        ),
        "broadcast": Preset(
            LoudnessTargets(target_lufs=-23.0, ceiling_dbtp=-1.5, yield_db=0.0),
            (Limit("lufs", -23.5, -22.5), _TRUE_PEAK),
            ("lufs", -23.0),
        ),
    }
)
"""Presets by name."""


@dataclass(frozen=True, slots=True)
class MeasuredFile:
    """A file with what its preset is judged by."""

    levels: Levels
    sample_rate_hz: int
    true_peak_dbtp: float | None
    head_s: float
    tail_s: float

    def value(self, name: str) -> float | None:
        """The measurement of that name."""
        found = {
            "lufs": self.levels.lufs,
            "rms_dbfs": self.levels.rms_dbfs,
            "peak_dbfs": self.levels.peak_dbfs,
            "floor_dbfs": self.levels.floor_dbfs(self.sample_rate_hz),
            "true_peak_dbtp": self.true_peak_dbtp,
            "head_s": self.head_s,
            "tail_s": self.tail_s,
        }[name]
        return None if found is None else round(found, 2)


def report(name: str, files: Sequence[MeasuredFile]) -> LoudnessReport:
    """Judge the files of a job, one or those of an archive, by a preset."""
    found = tuple(_worst(limit, files) for limit in PRESETS[name].limits)
    return LoudnessReport(name, all(each.passed for each in found), found)


def _worst(limit: Limit, files: Sequence[MeasuredFile]) -> Measurement:
    """The measurement with the least margin among the files."""

    def margin(value: float | None) -> float:
        if value is None:
            return -float("inf") if limit.least is not None else float("inf")
        below = float("inf") if limit.least is None else value - limit.least
        above = float("inf") if limit.most is None else limit.most - value
        return min(below, above)

    values = [file.value(limit.name) for file in files]
    worst = min(range(len(values)), key=lambda index: margin(values[index]))
    value = values[worst]
    return Measurement(
        limit.name, value, limit.least, limit.most, limit.holds(value), worst + 1 if len(files) > 1 else 0
    )


def corrected(name: str, targets: LoudnessTargets, measured: float | None) -> LoudnessTargets | None:
    """Targets that bring the whole file to the preset's aim; None if it is there.

    Gains follow the loudness of the speech, and the pauses of the whole file count as well.

    Args:
        measured: of the aim, in the whole file.
    """
    off = 0.0 if measured is None else PRESETS[name].aim[1] - measured
    if abs(off) <= _CORRECTED_DB:
        return None
    return replace(targets, target_lufs=round(targets.target_lufs + off, 1))
