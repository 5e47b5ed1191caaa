"""Decoding of a server's audio, within bounds, to the engine's sample rate.

The content decides what it is, since servers send another format than they were asked for. libsndfile reads
memory only, so no content can make it open a file or an address.
"""

import io
import re
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from pipeline.arrays import Samples
from pipeline.engines.openai.answers import RefusalError, TroubleError

SAMPLE_RATE_HZ = 24_000
BYTES_PER_S = 48_000 * 2 * 4
"""Largest rate of an answer: stereo at 48 kHz with 32 bits."""
_RATE_MIN_HZ, _RATE_MAX_HZ = 8_000, 192_000
_BLOCK = 1 << 16
_UNKNOWN_FROM = 0x7FFF_F000
"""Size of a WAV's data from which it states no length: streaming servers write 0xFFFFFFFF or the like."""


def decode(data: bytes, content_type: str, *, asked: str, pcm_rate_hz: int, seconds_max: float) -> Samples:
    """Decode WAV, FLAC, MP3, Ogg or, if it was asked for, raw PCM (16 bits, little-endian, mono).

    Returns:
        (n,), mono, at `SAMPLE_RATE_HZ`.

    Raises:
        TroubleError: no samples, an incomplete file, or more than `seconds_max`.
        RefusalError: no audio.
    """
    if not data:
        raise TroubleError("sent an empty answer")
    if asked == "pcm" and not _has_header(data):
        return _resampled(_pcm(data), _pcm_rate_hz(content_type, pcm_rate_hz), seconds_max)
    file = _sized(data) if data.startswith(b"RIFF") else data
    try:
        source = soundfile.SoundFile(io.BytesIO(file))
        samples = _mono(source, seconds_max)
    except soundfile.LibsndfileError:
        if _has_header(data):
            raise TroubleError("sent damaged audio") from None
        raise RefusalError("sent no audio that can be read; see VOXCHORD_OPENAI_FORMAT") from None
    return _resampled(samples, source.samplerate, seconds_max)


def _has_header(data: bytes) -> bool:
    """True for a file that says what it is."""
    mpeg = data[:1] == b"\xff" and data[1:2] and data[1] & 0xE0 == 0xE0 and data[1] & 0x06
    return data.startswith((b"RIFF", b"fLaC", b"OggS", b"ID3")) or bool(mpeg)


def _sized(data: bytes) -> bytes:
    """Give a WAV file that was streamed the sizes that it turned out to have.

    Raises:
        TroubleError: it ends within its header, or before the size that it states.
    """
    position = 12
    while position + 8 <= len(data):
        size = int.from_bytes(data[position + 4 : position + 8], "little")
        if data[position : position + 4] == b"data":
            return _with_size(data, position + 8, size)
        position += 8 + size + size % 2
    raise TroubleError("sent a WAV file that ends within its header")


def _with_size(data: bytes, start: int, stated: int) -> bytes:
    rest = len(data) - start
    if 0 < stated <= rest:
        return data
    if 0 < stated < _UNKNOWN_FROM:
        raise TroubleError(f"sent {rest:,} of the {stated:,} bytes that the WAV file states")
    whole = (len(data) - 8).to_bytes(4, "little")
    return b"RIFF" + whole + data[8 : start - 4] + rest.to_bytes(4, "little") + data[start:]


def _mono(source: soundfile.SoundFile, seconds_max: float) -> Samples:
    """Decode the mean of all channels."""
    parts, length = [np.zeros(0, np.float32)], 0
    for block in _blocks(source):
        parts.append(block.mean(axis=1).astype(np.float32, copy=False))
        length += len(block)
        _check_length(length / source.samplerate, seconds_max)
    return np.concatenate(parts)


def _blocks(source: soundfile.SoundFile) -> Iterator[npt.NDArray[np.float32]]:
    """(n, channels) each. The header's length is not used: a streamed file has none."""
    while len(block := source.read(_BLOCK, dtype="float32", always_2d=True)):
        yield block


def _pcm(data: bytes) -> Samples:
    if len(data) % 2:
        raise TroubleError("sent PCM that ends within a sample")
    return np.frombuffer(data, "<i2").astype(np.float32) * np.float32(2**-15)


def _pcm_rate_hz(content_type: str, default_hz: int) -> int:
    """Sample rate in a content type such as `audio/L16; rate=22050`.

    >>> _pcm_rate_hz("audio/pcm;rate=16000", 24_000), _pcm_rate_hz("audio/pcm", 24_000)
    (16000, 24000)
    """
    found = re.search(r"\brate=\"?(\d{4,6})\b", content_type)
    return int(found[1]) if found else default_hz


def _resampled(samples: Samples, rate_hz: int, seconds_max: float) -> Samples:
    if not len(samples):
        raise TroubleError("sent a file without samples")
    if not _RATE_MIN_HZ <= rate_hz <= _RATE_MAX_HZ:
        raise RefusalError(f"sent audio at {rate_hz} Hz, not {_RATE_MIN_HZ} to {_RATE_MAX_HZ} Hz")
    _check_length(len(samples) / rate_hz, seconds_max)
    if rate_hz == SAMPLE_RATE_HZ:
        return samples
    converted: Samples = soxr.resample(samples, rate_hz, SAMPLE_RATE_HZ)
    return converted


def _check_length(seconds: float, seconds_max: float) -> None:
    if seconds > seconds_max:
        raise TroubleError(f"sent more than the {seconds_max:.0f} s of audio that the words can take")
