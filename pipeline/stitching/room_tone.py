"""Room tone: the engine's own floor in place of digital silence, where that floor is not silent.

The quietest stretch of a segment is cut into grains, which are joined in random order at equal power, so
that a pause of any length has neither a period nor a step. A floor that is silent, or changes as speech does,
gives none: then pauses are digital silence.
"""

from dataclasses import dataclass

import numpy as np

from pipeline.arrays import Samples

_FRAME_S = 0.01
_STRETCH_S = 0.3
_SILENT = 1e-4
"""RMS of a silent floor: -80 dBFS."""
_BELOW_SPEECH = 10 ** (-30 / 20)
"""Highest RMS of a floor in proportion to that of its segment."""
_STEADY = 10.0
"""Highest ratio of the frames' mean squares within a floor: 10 dB. A decaying voice changes more."""
_GRAIN_S = 0.08


@dataclass(frozen=True, slots=True, eq=False)
class RoomTone:
    """The floor of a segment."""

    source: Samples
    """(n,), the quietest stretch."""
    grain: int
    """Length of a grain in samples, an even number."""

    def samples(self, length: int, seed: int) -> Samples:
        """Make a stretch of the floor; equal arguments give equal samples.

        Args:
            length: in samples.
            seed: of the order of the grains, for example a position in the file.
        """
        step = self.grain // 2
        window = np.sin(np.pi * (np.arange(self.grain) + 0.5) / self.grain).astype(np.float32)
        count = -(-length // step) + 1
        starts = np.random.default_rng(seed).integers(0, len(self.source) - self.grain + 1, count)
        made = np.zeros((count + 1) * step, np.float32)
        for place, start in enumerate(starts.tolist()):
            made[place * step : place * step + self.grain] += self.source[start : start + self.grain] * window
        return made[step : step + length]


def room_tone(samples: Samples, sample_rate_hz: int) -> RoomTone | None:
    """Find the floor of a segment; None if it is silent, or if no steady stretch is quiet.

    Args:
        samples: (n,), mono.
    """
    frame, count = round(_FRAME_S * sample_rate_hz), round(_STRETCH_S / _FRAME_S)
    frames = samples[: len(samples) // frame * frame].reshape(-1, frame)
    if len(frames) < count:
        return None
    levels = np.einsum("ij,ij->i", frames, frames, dtype=np.float64) / frame
    stretches = np.lib.stride_tricks.sliding_window_view(levels, count)
    quietest = int(stretches.sum(axis=1).argmin())
    stretch = stretches[quietest]
    floor = float(stretch.mean())
    steady = float(stretch.max()) <= _STEADY * float(stretch.min())
    if floor <= _SILENT**2 or not steady or floor > _BELOW_SPEECH**2 * float(levels.mean()):
        return None
    source = samples[quietest * frame : (quietest + count) * frame]
    return RoomTone(source, 2 * round(_GRAIN_S * sample_rate_hz / 2))
