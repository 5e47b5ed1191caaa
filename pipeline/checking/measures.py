"""Measurements of a take's samples that need no model.

All sums are of integers, so that every processor measures the same. Levels are mean squares of 16-bit samples
in frames of 10 ms. A minute of audio takes a few milliseconds.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.arrays import Samples, runs_of
from pipeline.stored_records import known

MEASURES_VERSION = 1
"""Version that is raised when equal samples give other measurements."""

FRAME_S = 0.01
_FULL_SCALE = 32768
_SILENCE = 16**2
"""Mean square of a frame that counts as silence in any take: -66 dBFS."""
_SILENT_BELOW = 1 / 2000
"""Level of silence in proportion to the speech: -33 dB."""
_NEAR_PEAK = 0.98
_WINDOW_S = 2.5
_WINDOW_STEP_S = 0.5
_CLIP_WINDOW_S = 1.0
_END_S = 0.03
_STRETCH_S = 3.0
_STRETCH_STEP_S = 1.0
_NEVER_FLAT = 1e9
"""Ratio of a take without 2.5 s of uninterrupted sound; JSON has no infinity."""
_BLOCK_FRAMES = 400
"""Frames quantised at once, so that the block stays in the processor's cache."""

_Levels = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Measures:
    """Measurements of one take; times in seconds from the start of its audio."""

    duration_s: float
    speech_rms: float
    """Level of the frames that are not silent; 1 is full scale."""
    dc_offset: float
    """Mean of all samples in proportion to their RMS."""
    clipped: float
    """Largest share, in any second, of samples within 2 % of the highest one."""
    clipped_at_s: float
    silent: float
    """Share of silent frames."""
    silence_s: float
    """Longest silence."""
    silence_at_s: float
    end_level: float
    """Mean square of the last 30 ms in proportion to the speech."""
    flat_ratio: float
    """Lowest ratio of a loud (90 %) to a quiet (10 %) frame within 2.5 s of sound; speech is never flat."""
    flat_at_s: float
    repeat_correlation: float
    """Highest correlation of the envelope of 3 s with another place; above 0.98 it is the same sound."""
    repeat_at_s: float
    """Start of the later one of both places."""

    def record(self) -> dict[str, Any]:
        """Convert to plain JSON values."""
        return {"version": MEASURES_VERSION, **asdict(self)}

    @classmethod
    def of(cls, record: Mapping[str, Any] | None) -> "Measures | None":
        """Read a record; None if there is none, or if another release measures otherwise."""
        return known(cls, record) if record is not None and record["version"] == MEASURES_VERSION else None


def measure(samples: Samples, sample_rate_hz: int) -> Measures:
    """Measure a take.

    Args:
        samples: (n,), mono; 1 is full scale.
    """
    levels, total, clipped, clipped_at = _scanned(samples, round(sample_rate_hz * FRAME_S))
    if not len(levels):
        levels = np.zeros(1, np.int64)
    speech, silent = _split(levels)
    silence_frames, silence_at = _longest(silent)
    flat, flat_at = _flattest(levels, silent)
    repeat, repeat_at = _repeated(levels)
    rms = float(np.sqrt(levels.sum() / len(levels))) / _FULL_SCALE
    mean = abs(total) / max(1, len(samples)) / _FULL_SCALE
    end = levels[-round(_END_S / FRAME_S) :]
    return Measures(
        duration_s=len(samples) / sample_rate_hz,
        speech_rms=round(speech**0.5 / _FULL_SCALE, 6),
        dc_offset=round(mean / rms, 4) if rms else 0.0,
        clipped=round(clipped, 5),
        clipped_at_s=clipped_at,
        silent=round(float(silent.mean()), 4),
        silence_s=round(silence_frames * FRAME_S, 2),
        silence_at_s=round(silence_at * FRAME_S, 2),
        end_level=round(float(end.mean()) / speech, 4) if speech else 0.0,
        flat_ratio=round(flat, 3),
        flat_at_s=flat_at,
        repeat_correlation=round(repeat, 3),
        repeat_at_s=repeat_at,
    )


def _scanned(samples: Samples, frame: int) -> tuple[_Levels, int, float, float]:
    """Levels of all frames, sum of all samples, and the largest share of clipped samples in a second."""
    whole = len(samples) // frame * frame
    peak = float(np.abs(samples).max(initial=0.0))
    near = np.float32(_NEAR_PEAK * peak) if peak > 1 / _FULL_SCALE else np.float32(np.inf)
    scale = np.float32(_FULL_SCALE / max(1.0, peak))
    levels, total, found = [], 0, []
    for start in range(0, whole, frame * _BLOCK_FRAMES):
        block = samples[start : min(whole, start + frame * _BLOCK_FRAMES)].reshape(-1, frame)
        quantised = (block * scale).astype(np.int32)
        total += int(quantised.sum(dtype=np.int64))
        levels.append(np.einsum("ij,ij->i", quantised, quantised, dtype=np.int64) // frame)
        found.append(np.count_nonzero(np.abs(block) >= near, axis=1))
    if not levels:
        return np.zeros(0, np.int64), 0, 0.0, 0.0
    window = round(_CLIP_WINDOW_S / FRAME_S)
    starts = np.arange(0, whole // frame, window)
    sums = np.add.reduceat(np.concatenate(found), starts)
    worst = int(sums.argmax())
    return np.concatenate(levels), total, float(sums[worst]) / (window * frame), worst * _CLIP_WINDOW_S


def _split(levels: _Levels) -> tuple[float, npt.NDArray[np.bool_]]:
    """Mean level of the speech, and the silent frames."""
    loud = levels[levels > _SILENCE]
    if not len(loud):
        return 0.0, np.ones(len(levels), np.bool_)
    limit = max(float(_SILENCE), int(loud.sum()) / len(loud) * _SILENT_BELOW)
    heard = levels[levels > limit]
    return int(heard.sum()) / len(heard), levels <= limit


def _longest(silent: npt.NDArray[np.bool_]) -> tuple[int, int]:
    """Length and start of the longest run."""
    runs = runs_of(silent)
    if not len(runs):
        return 0, 0
    start, end = max(runs.tolist(), key=lambda run: run[1] - run[0])
    return end - start, start


def _flattest(levels: _Levels, silent: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Lowest modulation of any window without silence, and its start."""
    size, step = round(_WINDOW_S / FRAME_S), round(_WINDOW_STEP_S / FRAME_S)
    if len(levels) < size:
        return _NEVER_FLAT, 0.0
    windows = np.lib.stride_tricks.sliding_window_view(levels, size)[::step]
    sounding = ~np.lib.stride_tricks.sliding_window_view(silent, size)[::step].any(axis=1)
    if not sounding.any():
        return _NEVER_FLAT, 0.0
    places = np.flatnonzero(sounding)
    ordered = np.partition(windows[places], (size // 10, size - size // 10), axis=1)
    ratios = ordered[:, size - size // 10] / np.maximum(1, ordered[:, size // 10])
    worst = int(ratios.argmin())
    return min(_NEVER_FLAT, float(ratios[worst])), round(int(places[worst]) * _WINDOW_STEP_S, 2)


def _repeated(levels: _Levels) -> tuple[float, float]:
    """Highest correlation of a stretch's envelope with a later place, and that place."""
    size, step = round(_STRETCH_S / FRAME_S), round(_STRETCH_STEP_S / FRAME_S)
    if len(levels) < 2 * size:
        return 0.0, 0.0
    # the fourth root weighs quiet sounds, as a log does
    envelope = np.sqrt(np.sqrt(levels.astype(np.float64)))
    starts = np.arange(0, len(levels) - 2 * size + 1, step)
    pieces = np.lib.stride_tricks.sliding_window_view(envelope, size)
    mean, spread = pieces.mean(axis=1), pieces.std(axis=1)
    length = 1 << (len(envelope) + size - 1).bit_length()
    spectrum = np.fft.rfft(envelope, length)
    best, at = 0.0, 0
    for start in starts:
        piece = pieces[start] - mean[start]
        products = np.fft.irfft(spectrum * np.conj(np.fft.rfft(piece, length)), length)
        later = slice(start + size, len(envelope) - size + 1)
        found = products[later] / np.maximum(1e-9, size * spread[start] * spread[later])
        place = int(found.argmax())
        if spread[start] > 0 and found[place] > best:
            best, at = float(found[place]), int(start) + size + place
    return best, round(at * FRAME_S, 2)
