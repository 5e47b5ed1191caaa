"""Decoding of reference recordings, within bounds.

A recording is passed as bytes, never as a path or URL, and no content can make a decoder open one: libsndfile
reads memory only, and FFmpeg is restricted to three containers and no protocol.
"""

import io
from collections.abc import Iterator
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from pipeline.arrays import Samples
from pipeline.engines.protocol import Reference
from pipeline.errors import VoiceError

BYTES_MAX = 128 << 20
"""Five minutes of 24-bit stereo at 48 kHz are 86 MB."""


SECONDS_MIN, SECONDS_MAX = 1.0, 300.0


CHANNELS_MAX = 8


RATE_MIN_HZ, RATE_MAX_HZ = 8_000, 192_000


STORED_RATE_HZ = 48_000
"""Higher sample rates are converted to this one: nothing above 24 kHz distinguishes voices."""


SILENT_DBFS = -55.0
"""A recording above this level (RMS of 20 ms) for less than a tenth of its length counts as silent."""


_BLOCK = 1 << 16


Block = npt.NDArray[np.float32]


def read(name: str, data: bytes) -> Reference:
    """Decode a recording from the bytes of a file: WAV, FLAC, Ogg, MP3, AIFF, M4A, WebM, AAC, …

    Args:
        name: name of the voice, for errors.

    Returns:
        A mono recording of 1 s to 5 min, at 8 to 48 kHz.

    Raises:
        VoiceError: not audio; outside the limits of size, length, sample rate or channels; silent; not
        finite.
    """
    if len(data) > BYTES_MAX:
        raise VoiceError(name, f"the file has {len(data):,} bytes, more than {BYTES_MAX:,}")
    container = _container(data)
    try:
        source = FfmpegSource(data, container) if container else SndfileSource(data)
        samples = _mono(name, source)
    except (soundfile.LibsndfileError, av.FFmpegError) as error:
        raise VoiceError(name, f"not audio, or damaged: {_reason(error)}") from error
    _check_sound(name, samples, source.sample_rate_hz)
    if source.sample_rate_hz <= STORED_RATE_HZ:
        return Reference(samples=samples, sample_rate_hz=source.sample_rate_hz)
    resampled: Samples = soxr.resample(samples, source.sample_rate_hz, STORED_RATE_HZ)
    return Reference(samples=resampled, sample_rate_hz=STORED_RATE_HZ)


class SndfileSource:
    """Source of formats that libsndfile reads: WAV, FLAC, AIFF, Ogg Vorbis and Opus, MP3, …"""

    def __init__(self, data: bytes) -> None:
        self._file = soundfile.SoundFile(io.BytesIO(data))
        self.sample_rate_hz: int = self._file.samplerate
        self.channels: int = self._file.channels

    def blocks(self) -> Iterator[Block]:
        """(n, channels) each."""
        while len(block := self._file.read(_BLOCK, dtype="float32", always_2d=True)):
            yield block


class FfmpegSource:
    """Source of the first audio stream of an M4A, WebM or AAC file, as phones and browsers record."""

    def __init__(self, data: bytes, container: str) -> None:
        # no protocol at all, so that neither playlists nor references inside the file are opened
        self._container: Any = av.open(
            io.BytesIO(data), format=container, container_options={"protocol_whitelist": "none"}
        )
        if not self._container.streams.audio:
            raise av.InvalidDataError(0, "no audio stream")
        self._stream: Any = self._container.streams.audio[0]
        self.sample_rate_hz: int = self._stream.rate
        self.channels: int = self._stream.layout.nb_channels

    def blocks(self) -> Iterator[Block]:
        """(n, channels) each."""
        planar = av.AudioResampler(format="fltp", layout=self._stream.layout, rate=self.sample_rate_hz)
        for frame in self._container.decode(self._stream):
            for converted in planar.resample(frame):
                yield converted.to_ndarray().T


def _container(data: bytes) -> str | None:
    """FFmpeg's name of a container that libsndfile does not read; else None."""
    if data[4:8] == b"ftyp":
        return "mov"
    if data[:1] == b"\xff" and data[1:2] and data[1] & 0xF6 == 0xF0:
        return "aac"  # ADTS; MP3 has a layer in these bits
    return "matroska" if data.startswith(b"\x1aE\xdf\xa3") else None


def _reason(error: Exception) -> str:
    """Error text without memory addresses."""
    return str(getattr(error, "error_string", None) or getattr(error, "strerror", None) or error)


def _mono(name: str, source: SndfileSource | FfmpegSource) -> Samples:
    """Decode the mean of all channels. Checks the header before decoding, and the length while decoding."""
    rate = source.sample_rate_hz
    if not RATE_MIN_HZ <= rate <= RATE_MAX_HZ:
        raise VoiceError(name, f"the sample rate is {rate} Hz, not {RATE_MIN_HZ} to {RATE_MAX_HZ} Hz")
    if not 1 <= source.channels <= CHANNELS_MAX:
        raise VoiceError(name, f"{source.channels} channels, more than {CHANNELS_MAX}")
    parts, length = [], 0
    for block in source.blocks():
        parts.append(block.mean(axis=1, dtype=np.float32))
        length += len(block)
        if length > SECONDS_MAX * rate:
            raise VoiceError(name, f"the recording is longer than {SECONDS_MAX:.0f} s")
    if length < SECONDS_MIN * rate:
        raise VoiceError(name, f"the recording is {length / rate:.2f} s, shorter than {SECONDS_MIN:.0f} s")
    return np.concatenate(parts)


def _check_sound(name: str, samples: Samples, sample_rate_hz: int) -> None:
    if not np.isfinite(samples).all():
        raise VoiceError(name, "the recording has samples that are not finite")
    window = sample_rate_hz // 50
    windows = samples[: len(samples) // window * window].reshape(-1, window)
    rms = np.sqrt(np.mean(np.square(windows, dtype=np.float64), axis=1))
    if np.quantile(rms, 0.9) < 10 ** (SILENT_DBFS / 20):
        raise VoiceError(name, f"the recording is silent: nine tenths are below {SILENT_DBFS:.0f} dBFS")
