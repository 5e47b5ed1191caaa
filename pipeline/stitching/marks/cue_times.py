"""Times at which cues of timed scripts begin, against those that were asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.stitching.timeline import Timeline, onset

SHIFT_MIN_S = 0.05
"""Smaller differences do not count as a shift."""


@dataclass(frozen=True, slots=True)
class CueTime:
    """Start of a cue in the file."""

    turn: int
    """Index of its first turn."""
    source_line: int
    asked_s: float
    """Start in the script."""
    start_s: float
    """Start of its first word in the file."""
    shift_s: float
    """Time by which it is late, since the speech before it is longer; 0 below `SHIFT_MIN_S`."""


@dataclass(frozen=True, slots=True)
class Shifts:
    """Shifts of all cues."""

    cues: int
    shifted: int
    """Cues that begin later than asked for."""
    total_s: float
    largest_s: float
    largest_line: int
    """Line of the cue with the largest shift; 0 if there is none."""


def cue_times(timeline: Timeline, starts_ms: Mapping[int, int]) -> tuple[CueTime, ...]:
    """Find the times of timed turns, in order.

    Args:
        starts_ms: times that were asked for, by the turn's index.
    """
    found: list[CueTime] = []
    turn = -1
    for item in timeline.items:
        first = item.lines[0]
        if first.turn != turn and first.turn in starts_ms:
            asked_s = starts_ms[first.turn] / 1000
            start_s = (item.start + onset(item.span)) / timeline.sample_rate_hz
            late_s = round(start_s - asked_s, 3)
            shift_s = late_s if late_s >= SHIFT_MIN_S else 0.0
            found.append(CueTime(first.turn, first.source_line, asked_s, round(start_s, 3), shift_s))
        turn = item.lines[-1].turn
    return tuple(found)


def shifts(cues: Sequence[CueTime]) -> Shifts:
    """Sum up the shifts of cues."""
    late = [cue for cue in cues if cue.shift_s]
    largest = max(late, key=lambda cue: cue.shift_s, default=None)
    return Shifts(
        cues=len(cues),
        shifted=len(late),
        total_s=round(sum(cue.shift_s for cue in late), 3),
        largest_s=largest.shift_s if largest else 0.0,
        largest_line=largest.source_line if largest else 0,
    )
