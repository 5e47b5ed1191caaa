"""Levels of finished audio by tenths of a second, from which its loudness, level and floor follow.

They are measured while the audio is written, and stored beside encoded runs, so that a file whose runs exist
is judged without reading a sample.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyebur128

from pipeline.arrays import Pcm

STEP_S = 0.1
_BLOCK_STEPS = 4
"""Steps of a gating block (BS.1770-5: 400 ms, overlapping by three quarters)."""
_FLOOR_STEPS = 5
"""Steps over which a noise floor is measured: half a second."""
_ABSOLUTE_GATE_LUFS = -70.0
_RELATIVE_GATE_LU = 10.0
_FULL_SCALE = 32768


@dataclass(frozen=True, slots=True, eq=False)
class Levels:
    """Levels of a stretch of audio."""

    momentary_lufs: npt.NDArray[np.float32]
    """(blocks,), loudness of each gating block."""
    energies: npt.NDArray[np.float64]
    """(steps,), sums of squares, 1.0 is full scale."""
    samples: int
    peak: float
    """Highest sample, linear."""

    @property
    def lufs(self) -> float | None:
        """Integrated loudness (BS.1770-5); None if nothing is above the absolute gate."""
        powers = 10 ** (self.momentary_lufs[self.momentary_lufs > _ABSOLUTE_GATE_LUFS].astype(float) / 10)
        if not len(powers):
            return None
        gate = powers.mean() * 10 ** (-_RELATIVE_GATE_LU / 10)
        return 10 * math.log10(powers[powers > gate].mean())

    @property
    def rms_dbfs(self) -> float | None:
        """Level of all samples; None for silence."""
        return _decibels(float(self.energies.sum()) / self.samples) if self.samples else None

    @property
    def peak_dbfs(self) -> float | None:
        return _decibels(self.peak**2)

    def floor_dbfs(self, sample_rate_hz: int) -> float | None:
        """Level of the quietest half second; None for silence, or if there is none."""
        whole = self.energies[: self.samples // round(STEP_S * sample_rate_hz)]
        if len(whole) < _FLOOR_STEPS:
            return None
        sums = np.convolve(whole, np.ones(_FLOOR_STEPS), mode="valid")
        return _decibels(float(sums.min()) / (_FLOOR_STEPS * STEP_S * sample_rate_hz))


def joined(parts: Iterable[Levels]) -> Levels:
    """Levels of stretches one behind the other; gating blocks across their borders are not counted."""
    every = list(parts)
    return Levels(
        np.concatenate([np.zeros(0, np.float32), *(part.momentary_lufs for part in every)]),
        np.concatenate([np.zeros(0), *(part.energies for part in every)]),
        sum(part.samples for part in every),
        max((part.peak for part in every), default=0.0),
    )


class LevelMeter:
    """Meter of a stretch of audio as it is written."""

    def __init__(self, sample_rate_hz: int) -> None:
        self._step = round(STEP_S * sample_rate_hz)
        self._state = pyebur128.R128State(1, sample_rate_hz, pyebur128.MeasurementMode.MODE_M)
        self._rest = np.zeros(0, np.float32)
        self._momentary: list[float] = []
        self._energies: list[npt.NDArray[np.float64]] = []
        self._samples = self._steps = 0
        self._peak = 0.0

    def add(self, pcm: Pcm) -> None:
        if not len(pcm):
            return
        fresh = pcm.astype(np.float32) / np.float32(_FULL_SCALE)
        self._samples += len(fresh)
        self._peak = max(self._peak, float(np.abs(fresh).max()))
        waiting = np.concatenate([self._rest, fresh])
        whole = len(waiting) // self._step * self._step
        self._rest = waiting[whole:]
        steps = waiting[:whole].reshape(-1, self._step)
        self._energies.append(np.einsum("ij,ij->i", steps, steps, dtype=np.float64))
        for step in steps:
            self._state.add_frames(step, len(step))
            self._steps += 1
            if self._steps >= _BLOCK_STEPS:
                self._momentary.append(float(pyebur128.get_loudness_momentary(self._state)))

    def levels(self) -> Levels:
        """Levels of all that was added."""
        rest = np.array([np.square(self._rest, dtype=np.float64).sum()][: len(self._rest)])
        energies = np.concatenate([np.zeros(0), *self._energies, rest])
        return Levels(np.array(self._momentary, np.float32), energies, self._samples, self._peak)


class SplitMeter:
    """Meter of stretches that follow each other.

    Args:
        ends: sample after the last one of each stretch.
    """

    def __init__(self, sample_rate_hz: int, ends: Sequence[int]) -> None:
        self._ends = ends
        self._meters = [LevelMeter(sample_rate_hz) for _ in ends]
        self._number = self._position = 0

    def add(self, pcm: Pcm) -> None:
        while len(pcm):
            room = self._ends[self._number] - self._position
            part, pcm = pcm[:room], pcm[room:]
            self._meters[self._number].add(part)
            self._position += len(part)
            self._number += self._position == self._ends[self._number]

    def levels(self) -> list[Levels]:
        """Levels of each stretch."""
        return [meter.levels() for meter in self._meters]


def _decibels(power: float) -> float | None:
    return 10 * math.log10(power) if power > 0 else None
