"""Loudness of speech (EBU R 128), and gains that make a job's speakers equally loud.

The diffusion stage measures each utterance with libebur128 (EBU R 128, ITU-R BS.1770-5). The stitch computes
gains from these figures, without a pass over the samples.
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
"""Linear level below which samples round to 0 in 16 bits under any gain up to 20 dB (`LoudnessTargets`)."""

_GAIN_STEP_DB = 0.1
"""Step of gains. In a long job an edit moves a voice's loudness by far less, so that gains rarely change."""
_RELATIVE_GATE_LU = 10.0
"""Relative gate of BS.1770-5: parts this far below the mean do not count."""


@dataclass(frozen=True, slots=True)
class LoudnessTargets:
    """Target levels of the finished file.

    -19 LUFS for mono speech is as loud as the -16 LUFS of podcasts (AES TD1008): a mono file played on two
    speakers gains 3 LU.
    """

    target_lufs: float = -19.0
    ceiling_dbtp: float = -1.0
    gain_max_db: float = 20.0
    """Maximum gain, since more would raise noise; quieter voices stay quieter. At most 20."""
    limit_db: float = 6.0
    """Part of a peak that is left to the limiter, so that one plosive does not lower a whole job."""
    yield_db: float = 6.0
    """Maximum by which all voices stay below the target for the peakiest one; the rest is limited."""


def measure(samples: Samples, sample_rate_hz: int) -> tuple[float | None, float]:
    """Measure integrated loudness and true peak.

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
    """Add samples one second at a time.

    libebur128 holds the interpreter lock while it processes samples, and other threads of the process decode.
    """
    for start in range(0, len(samples), sample_rate_hz):
        item = np.ascontiguousarray(samples[start : start + sample_rate_hz], np.float32)
        state.add_frames(item, len(item))


def spans(utterances: Sequence[Utterance], sample_rate_hz: int) -> tuple[Samples, tuple[Span, ...]]:
    """Concatenate utterances and measure their spans.

    All samples are retained. A span excludes the digital silence at the ends of its utterance (below
    `SILENCE`), which the stitch replaces by its own pause.

    Returns:
        (n,), float32, mono; one span per utterance, in order.

    Raises:
        EngineError: samples that are not finite.
    """
    found, start = [], 0
    for utterance in utterances:
        if not np.isfinite(utterance.samples).all():
            raise EngineError(f"the engine returned samples that are not finite, in line {utterance.line}")
        first, last = _heard(utterance.samples)
        lufs, peak = measure(utterance.samples[first:last], sample_rate_hz)
        found.append(
            Span(
                start + first,
                last - first,
                utterance.line,
                utterance.lines,
                utterance.text,
                lufs,
                peak,
                _words(utterance.words, first, last),
            )
        )
        start += len(utterance.samples)
    samples = np.concatenate([np.zeros(0, np.float32), *(utterance.samples for utterance in utterances)])
    return samples.astype(np.float32, copy=False), tuple(found)


def _words(words: Iterable[tuple[int, int]], first: int, last: int) -> tuple[tuple[int, int], ...]:
    """Words of an utterance from the start of its span."""
    return tuple((min(max(a, first), last) - first, min(max(b, first), last) - first) for a, b in words)


def _heard(samples: Samples) -> tuple[int, int]:
    """Range of samples without the silence at both ends; the whole range if all is silence."""
    heard = np.flatnonzero(np.abs(samples) > SILENCE)
    return (int(heard[0]), int(heard[-1]) + 1) if len(heard) else (0, len(samples))


def integrated(parts: Iterable[tuple[float, int]]) -> float | None:
    """Integrated loudness of several measured parts: the gated mean of their energies, by length.

    Each part's loudness is gated already; the relative gate excludes parts far below the others.

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
    """Integrated loudness of one voice's spans; None if none can be measured."""
    return integrated((span.lufs, span.samples) for span in voice if span.lufs is not None and span.samples)


def gains_db(voices: Mapping[str, Sequence[Span]], targets: LoudnessTargets) -> dict[str, float]:
    """Compute one gain per voice, so that all are equally loud and peaks stay under the ceiling.

    The level is the target, or below it by at most `yield_db` if the peakiest voice would otherwise exceed
    the ceiling by more than `limit_db`: equal loudness matters more than the absolute level.

    A voice that cannot be measured (a single short word) gets the mean gain of the others.
    """
    measured = {name: lufs for name, spoken in voices.items() if (lufs := loudness(spoken)) is not None}
    if not measured:
        return dict.fromkeys(voices, 0.0)
    crest_db = max(decibels(max(s.true_peak for s in voices[name])) - lufs for name, lufs in measured.items())
    reach = targets.ceiling_dbtp + targets.limit_db - crest_db
    level = max(min(targets.target_lufs, reach), targets.target_lufs - targets.yield_db)
    gains = {name: min(level - lufs, targets.gain_max_db) for name, lufs in measured.items()}
    mean = sum(gains.values()) / len(gains)
    return {name: _stepped(gains.get(name, mean)) for name in voices}


def _stepped(gain_db: float) -> float:
    """The gain in steps, so that an edit of a few words leaves the samples of all others as they are."""
    return round(round(gain_db / _GAIN_STEP_DB) * _GAIN_STEP_DB, 6)


def decibels(linear: float) -> float:
    """Convert a linear value to dB, finite for 0."""
    return 20 * math.log10(max(linear, 1e-9))
