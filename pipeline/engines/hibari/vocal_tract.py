"""Estimation of a speaker's vocal tract, pitch and pace, for a voice with a single timbre.

A recording is compared with the model's own voice. The relative length of the vocal tract (VTLN: Lee & Rose
1998) is the stretch of the frequency axis that brings the frames of the model's voice closest to those of the
recording: cepstra of smoothed spectra, with both means removed to cancel the microphone. Pitch is the median
of the autocorrelation's peak (Boersma 1993), pace the rate of loudness swings, which follow syllables.

Measured: on the model's own voice, resampled, the stretch is found within 0.01. On recordings of half a
minute it varies by some 0.01 with the comparison text, on eight seconds by 0.03. Adults differ little (two
men: 0.83 and 0.85, two women: 0.94 and 1.00), and with one timbre they would sound like two people instead of
four; so `ratio` doubles the differences. Pace is coarse: it follows faster and slower playback, but the text
changes it by some 15 % at the same speed.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import soxr

from pipeline.arrays import Samples

Frames = npt.NDArray[np.float64]

RATIO_MIN, RATIO_MAX = 0.76, 1.16
PACE_MIN, PACE_MAX = 0.85, 1.15
PITCH_MIN, PITCH_MAX = 0.65, 1.25

OWN_TEXT = (
    "The birch canoe slid on the smooth planks. Glue the sheet to the dark blue background. It's easy to "
    "tell the depth of a well. These days a chicken leg is a rare dish. Rice is often served in round "
    "bowls. The juice of lemons makes fine punch. The box was thrown beside the parked truck. The hogs "
    "were fed chopped corn and garbage. Four hours of steady work faced us. A large size in stockings is "
    "hard to sell. The boy was there when the sun rose. A rod is used to catch pink salmon. The source of "
    "the huge river is the clear spring. Kick the ball straight and follow through. Help the woman get "
    "back to her feet. A pot of tea helps to pass the evening. Smoky fires lack flame and heat. The soft "
    "cushion broke the man's fall. The salt breeze came across from the sea. The girl at the booth sold "
    "fifty bonds."
)
"""Text of the model's own print, with all English sounds in their usual shares (IEEE 1969, lists 1-2)."""

_CARICATURE = 2.0
_CENTRE = 0.905
"""Fixed point of the exaggeration: the middle of the range of adult recordings."""
_RATE_HZ = 16_000
_HOP = 160
_WINDOW = 512
_BANDS_HZ = np.geomspace(400, 4800, 120)
_STRETCHES = np.geomspace(0.70, 1.25, 59)
_SMOOTHING_S = 0.0022
"""Longest quefrency that remains: below the pitch period of any voice under 450 Hz."""
_CEPSTRA = slice(1, 14)
_FRAMES_MAX = 800


@dataclass(frozen=True, slots=True)
class Voiceprint:
    """Features of a recording for comparison."""

    envelopes: Frames
    """(frames, bins): log spectra of the loudest frames, smoothed over pitch; bins from 0 to 8 kHz."""
    pitch_hz: float
    """Median pitch of voiced frames."""
    swings_per_s: float
    """Inverse of the lag at which the autocorrelation of loudness falls to one half."""


@dataclass(frozen=True, slots=True)
class VocalTract:
    """A speaker as factors relative to the model's own voice."""

    ratio: float
    """Scale of formants and pitch (0.76 to 1.16); below 1 means a longer tract and a deeper voice."""
    pace: float
    """Speaking rate (0.85 to 1.15)."""
    pitch: float
    """Additional scale of pitch (0.65 to 1.25), if the engine supports it."""


def voiceprint(samples: Samples, sample_rate_hz: int) -> Voiceprint:
    """Extract the features of a recording.

    Args:
        samples: (n,), mono, at least a second of speech.
    """
    speech = soxr.resample(samples, sample_rate_hz, _RATE_HZ)
    frames = _frames(speech, _WINDOW)
    power = np.square(frames).sum(axis=1)
    loud = power > 0.02 * np.quantile(power, 0.95)
    return Voiceprint(_envelopes(frames[loud]), _pitch_hz(speech), _swings_per_s(frames))


def estimate(recording: Voiceprint, own: Voiceprint) -> VocalTract:
    """Estimate a speaker's factors from a recording.

    Args:
        own: features of the model's own voice with `OWN_TEXT`.
    """
    stretch = vocal_tract(recording, own)
    ratio = float(np.clip(_CENTRE * (stretch / _CENTRE) ** _CARICATURE, RATIO_MIN, RATIO_MAX))
    pitch = recording.pitch_hz / own.pitch_hz / ratio if recording.pitch_hz else 1.0
    pace = recording.swings_per_s / own.swings_per_s
    return VocalTract(
        ratio=round(ratio, 3),
        pace=round(float(np.clip(pace, PACE_MIN, PACE_MAX)), 3),
        pitch=round(float(np.clip(pitch, PITCH_MIN, PITCH_MAX)), 3),
    )


def _frames(samples: Samples, window: int) -> Frames:
    padded = np.pad(samples, (0, max(0, window - len(samples)))).astype(np.float64)
    return np.lib.stride_tricks.sliding_window_view(padded, window)[::_HOP] * np.hanning(window)


def _envelopes(frames: Frames) -> Frames:
    """Log spectra without harmonics, of at most `_FRAMES_MAX` evenly spaced frames."""
    chosen = frames[np.linspace(0, len(frames) - 1, min(len(frames), _FRAMES_MAX)).astype(int)]
    power = np.abs(np.fft.rfft(chosen, 2 * _WINDOW)) ** 2
    cepstra = np.fft.irfft(np.log(power + 1e-9 * power.max() + 1e-20))
    coefficients = round(_SMOOTHING_S * _RATE_HZ)
    cepstra[:, coefficients : cepstra.shape[1] - coefficients + 1] = 0
    return np.fft.rfft(cepstra).real


def _cepstra(envelopes: Frames, stretch: float) -> Frames:
    """Cepstra (frames, 13) of envelopes whose frequencies are multiplied by `stretch`."""
    bins = np.clip(_BANDS_HZ / stretch / (_RATE_HZ / 2), 0, 1) * (envelopes.shape[1] - 1)
    below = np.minimum(bins.astype(int), envelopes.shape[1] - 2)
    part = bins - below
    bands = envelopes[:, below] * (1 - part) + envelopes[:, below + 1] * part
    angles = np.pi * np.outer(np.arange(len(_BANDS_HZ)) + 0.5, np.arange(_CEPSTRA.start, _CEPSTRA.stop))
    cepstra = bands @ np.cos(angles / len(_BANDS_HZ))
    return np.asarray(cepstra - cepstra.mean(axis=0))


def vocal_tract(recording: Voiceprint, own: Voiceprint) -> float:
    """Measure the frequency scale that brings the model's voice closest to the recording."""
    target = _cepstra(recording.envelopes, 1.0)
    distances = [_nearest(target, _cepstra(own.envelopes, stretch)) for stretch in _STRETCHES]
    fit = np.polynomial.Polynomial.fit(np.log(_STRETCHES), distances, 6)
    fine = np.linspace(np.log(_STRETCHES[2]), np.log(_STRETCHES[-3]), 1001)
    return float(np.exp(fine[np.argmin(fit(fine))]))


def _nearest(frames: Frames, among: Frames) -> float:
    """Mean distance of each frame to its nearest neighbour."""
    squares = (frames**2).sum(1)[:, None] + (among**2).sum(1) - 2 * frames @ among.T
    return float(np.sqrt(np.maximum(squares.min(axis=1), 0)).mean())


def _pitch_hz(speech: Samples) -> float:
    """Median pitch over voiced frames; 0 if there is none."""
    window, rate_hz = 400, 8000
    frames = _frames(soxr.resample(speech, _RATE_HZ, rate_hz), window)
    frames -= frames.mean(axis=1, keepdims=True)
    shape = np.fft.irfft(np.abs(np.fft.rfft(np.hanning(window), 1024)) ** 2)[:200]
    likeness = np.fft.irfft(np.abs(np.fft.rfft(frames, 1024)) ** 2)[:, :200] / shape
    power = likeness[:, 0]
    lags = np.arange(rate_hz // 400, rate_hz // 60)
    likeness = likeness[:, lags] / np.maximum(power, 1e-12)[:, None]
    best = np.argmax(likeness * (1 - 0.15 * lags / lags[-1]), axis=1)
    voiced = (likeness[np.arange(len(best)), best] > 0.6) & (power > 0.003 * np.quantile(power, 0.95))
    return float(rate_hz / np.median(lags[best[voiced]])) if voiced.any() else 0.0


def _swings_per_s(frames: Frames) -> float:
    """Rate of loudness swings in dB, between 300 and 3300 Hz, over the upper 25 dB."""
    power = np.square(np.abs(np.fft.rfft(frames)))[:, 10:106].sum(axis=1)
    level = 10 * np.log10(power + 1e-12)
    level = np.maximum(level, np.quantile(level, 0.95) - 25)
    spectrum = np.abs(np.fft.rfft(level - level.mean(), 2 * len(level))) ** 2
    likeness = np.fft.irfft(spectrum)[: len(level)] / max(1e-9, spectrum.mean())
    likeness /= max(1e-9, likeness[0])
    lag = max(1, int(np.argmax(likeness < 0.5)))
    before, after = float(likeness[lag - 1]), float(likeness[lag])
    between = (before - 0.5) / (before - after) if before > 0.5 > after else 1.0
    return _RATE_HZ / _HOP / (lag - 1 + max(0.01, between))
