"""How loud speech is, and the gains that make a job's speakers equally loud.

Loudness is measured where the samples are born, one utterance at a time, by libebur128 (EBU R 128, ITU-R
BS.1770-5); the stitch works from those figures alone and needs no pass over the samples of its own.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyebur128

from pipeline.arrays import Samples
from pipeline.engines.protocol import Utterance
from pipeline.errors import EngineError
from pipeline.planning.records import Span

SILENCE = 0.5 / 32767 / 10
"""Linear. What is quieter rounds to nothing in a 16-bit file, under any gain that `Levels` allows (20 dB)."""

_RELATIVE_GATE_LU = 10.0
"""BS.1770-5: what is this much quieter than the mean of all does not count towards the loudness."""


@dataclass(frozen=True, slots=True)
class Levels:
    """What the finished file should measure.

    -19 LUFS for mono speech is as loud as the -16 LUFS that podcasts are delivered at (AES TD1008): the two
    speakers that a mono file is played on add 3 LU.
    """

    target_lufs: float = -19.0
    ceiling_dbtp: float = -1.0
    gain_max_db: float = 20.0
    """What is quieter than this allows stays quieter: raising it further raises noise. At most 20."""
    limit_db: float = 6.0
    """How much of a peak is left to the limiter, so that one plosive doesn't turn a whole job down."""
    yield_db: float = 6.0
    """How far all voices may stay below the target for the sake of the peakiest; beyond, the limiter."""


def measure(samples: Samples, sample_rate_hz: int) -> tuple[float | None, float]:
    """Integrated loudness and true peak.

    Args:
        samples: (n,), mono, not clipped.

    Returns:
        LUFS, or None if it is shorter than 400 ms or below -70 LUFS; the true peak, linear.
    """
    mode = pyebur128.MeasurementMode.MODE_I | pyebur128.MeasurementMode.MODE_TRUE_PEAK
    state = pyebur128.R128State(1, sample_rate_hz, mode)
    _feed(state, samples, sample_rate_hz)
    lufs = float(pyebur128.get_loudness_global(state))
    return (lufs if math.isfinite(lufs) else None), float(pyebur128.get_true_peak(state, 0))


def true_peak(samples: Samples, sample_rate_hz: int) -> float:
    """Linear, 1.0 is full scale."""
    state = pyebur128.R128State(1, sample_rate_hz, pyebur128.MeasurementMode.MODE_TRUE_PEAK)
    _feed(state, samples, sample_rate_hz)
    return float(pyebur128.get_true_peak(state, 0))


def _feed(state: Any, samples: Samples, sample_rate_hz: int) -> None:
    """Hand over a second at a time: libebur128 keeps the interpreter lock for as long as it has samples, and
    other threads of the process decode.
    """
    for start in range(0, len(samples), sample_rate_hz):
        piece = np.ascontiguousarray(samples[start : start + sample_rate_hz], np.float32)
        state.add_frames(piece, len(piece))


def spans(utterances: Sequence[Utterance], sample_rate_hz: int) -> tuple[Samples, tuple[Span, ...]]:
    """The utterances' samples end to end, and where each is heard in them.

    All samples are kept. A span leaves out the digital silence at the ends of its utterance (below
    `SILENCE`), so that the stitch can put a pause of its own in its place.

    Returns:
        (n,), float32, mono; one span per utterance, in order.

    Raises:
        EngineError: samples that are not finite.
    """
    found, start = [], 0
    for utterance in utterances:
        if not np.isfinite(utterance.samples).all():
            raise EngineError(f"the engine gave samples that are not finite, in line {utterance.line}")
        first, last = _heard(utterance.samples)
        lufs, peak = measure(utterance.samples[first:last], sample_rate_hz)
        found.append(
            Span(start + first, last - first, utterance.line, utterance.lines, utterance.text, lufs, peak)
        )
        start += len(utterance.samples)
    samples = np.concatenate([np.zeros(0, np.float32), *(utterance.samples for utterance in utterances)])
    return samples.astype(np.float32, copy=False), tuple(found)


def _heard(samples: Samples) -> tuple[int, int]:
    """First sample that is not silence, and one past the last; all of it if nothing is heard."""
    heard = np.flatnonzero(np.abs(samples) > SILENCE)
    return (int(heard[0]), int(heard[-1]) + 1) if len(heard) else (0, len(samples))


def integrated(parts: Iterable[tuple[float, int]]) -> float | None:
    """Loudness of several measured runs together: the mean of their energies by length, gated.

    Each run's own figure is gated already; the relative gate leaves out runs far below the others.

    >>> integrated([(-20.0, 100), (-20.0, 300), (-60.0, 100)])
    -20.0
    >>> integrated([]) is None
    True

    Args:
        parts: (LUFS, samples).
    """
    parts = list(parts)
    if not parts:
        return None
    gate = _mean(parts) - _RELATIVE_GATE_LU
    return round(_mean([part for part in parts if part[0] > gate]), 6)


def _mean(parts: Sequence[tuple[float, int]]) -> float:
    energy = sum(samples * 10 ** (lufs / 10) for lufs, samples in parts)
    return 10 * math.log10(energy / sum(samples for _, samples in parts))


def loudness(voice: Iterable[Span]) -> float | None:
    """Integrated loudness of all that one voice says; None if nothing of it can be measured."""
    return integrated((span.lufs, span.samples) for span in voice if span.lufs is not None and span.samples)


def gains_db(voices: Mapping[str, Sequence[Span]], levels: Levels) -> dict[str, float]:
    """One gain per voice, for the whole job, so that all are equally loud and peaks stay under the ceiling.

    The level is the target, or as far below it (at most `yield_db`) as the peakiest voice needs to exceed the
    ceiling by no more than `limit_db`: equally loud voices matter more than the absolute level.

    A voice that can't be measured (a single short word) gets the mean gain of the others.
    """
    measured = {name: lufs for name, spoken in voices.items() if (lufs := loudness(spoken)) is not None}
    if not measured:
        return dict.fromkeys(voices, 0.0)
    crest_db = max(decibels(max(s.true_peak for s in voices[name])) - lufs for name, lufs in measured.items())
    reach = levels.ceiling_dbtp + levels.limit_db - crest_db
    level = max(min(levels.target_lufs, reach), levels.target_lufs - levels.yield_db)
    gains = {name: min(level - lufs, levels.gain_max_db) for name, lufs in measured.items()}
    mean = sum(gains.values()) / len(gains)
    return {name: gains.get(name, mean) for name in voices}


def decibels(linear: float) -> float:
    """20 log10, finite also for 0."""
    return 20 * math.log10(max(linear, 1e-9))
