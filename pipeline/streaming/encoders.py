"""Incremental encoders: samples in, bytes that can be sent at once out. No output is ever rewritten.

WAV states an unknown length (all bits set, as programs that write to a pipe do), and FLAC states none.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

import numpy as np
import soxr

from pipeline.arrays import Pcm
from pipeline.errors import OptionError
from pipeline.stitching.encoders import MPEG_RATES_HZ, NO_TAGS, Aac, Compressed, Mp3, Opus, wav_header

PCM_RATE_HZ = 24_000
"""Sample rate of the format `pcm` in OpenAI's convention."""
MEDIA_TYPES: Mapping[str, str] = MappingProxyType(
    {
        "mp3": "audio/mpeg",
        "opus": "audio/opus",
        "aac": "audio/aac",
        "flac": "audio/flac",
        "wav": "audio/wav",
        "pcm": "audio/pcm",
    }
)
"""Media types by format; the first is the default."""
_UNKNOWN = b"\xff\xff\xff\xff"
_FLUSH: Mapping[str, str] = MappingProxyType({"flush_packets": "1"})


class StreamEncoder(Protocol):
    """Encoder of one stream."""

    def encode(self, pcm: Pcm) -> bytes:
        """Encode samples; returns what is complete."""
        ...

    def finish(self) -> bytes:
        """End the stream; returns the rest."""
        ...


class _Buffer:
    """Bytes that a container wrote and that were not sent yet."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        taken, self._parts = b"".join(self._parts), []
        return taken


class _StreamedMp3(Mp3):
    container_options = MappingProxyType({**_FLUSH, "write_xing": "0"})  # it would be rewritten at the end


class _StreamedOpus(Opus):
    container_options = MappingProxyType({**_FLUSH, "page_duration": "200000"})  # µs


class _StreamedAac(Aac):
    options: Mapping[str, str] = MappingProxyType({})
    container_options = _FLUSH  # no ID3v2 tag


class _StreamedFlac(Compressed):
    codec, container, sample_format = "flac", "flac", "s16"
    bit_rate = 0
    options: Mapping[str, str] = MappingProxyType({"compression_level": "4"})
    rates_hz = (*MPEG_RATES_HZ, 96_000, 192_000)
    container_options = _FLUSH


class _Encoded:
    """Stream of a codec in its container."""

    def __init__(self, kind: type[Compressed], sample_rate_hz: int) -> None:
        self._buffer = _Buffer()
        self._writer = kind(self._buffer, sample_rate_hz, 0, NO_TAGS)

    def encode(self, pcm: Pcm) -> bytes:
        self._writer.write(pcm)
        return self._buffer.take()

    def finish(self) -> bytes:
        self._writer.close()
        return self._buffer.take()


class _Raw:
    """Samples as they are, at the rate of the convention."""

    def __init__(self, sample_rate_hz: int) -> None:
        self._resampler = (
            None
            if sample_rate_hz == PCM_RATE_HZ
            else soxr.ResampleStream(sample_rate_hz, PCM_RATE_HZ, 1, dtype="int16")
        )

    def encode(self, pcm: Pcm) -> bytes:
        return self._bytes(self._resampler.resample_chunk(pcm) if self._resampler else pcm)

    def finish(self) -> bytes:
        if self._resampler is None:
            return b""
        return self._bytes(self._resampler.resample_chunk(np.zeros(0, np.int16), last=True))

    @staticmethod
    def _bytes(pcm: Pcm) -> bytes:
        return pcm.astype("<i2", copy=False).tobytes()


class _Wav:
    """WAV of unknown length."""

    def __init__(self, sample_rate_hz: int) -> None:
        header = wav_header(0, sample_rate_hz, "")
        self._header = header[:4] + _UNKNOWN + header[8:-4] + _UNKNOWN

    def encode(self, pcm: Pcm) -> bytes:
        header, self._header = self._header, b""
        return header + pcm.astype("<i2", copy=False).tobytes()

    def finish(self) -> bytes:
        return self._header


_CODECS: Mapping[str, type[Compressed]] = MappingProxyType(
    {"mp3": _StreamedMp3, "opus": _StreamedOpus, "aac": _StreamedAac, "flac": _StreamedFlac}
)


def encoder(stream_format: str, sample_rate_hz: int) -> StreamEncoder:
    """Make the encoder of a stream.

    Args:
        stream_format: a name in `MEDIA_TYPES`.

    Raises:
        OptionError: unknown format.
    """
    if stream_format in _CODECS:
        return _Encoded(_CODECS[stream_format], sample_rate_hz)
    if stream_format == "wav":
        return _Wav(sample_rate_hz)
    if stream_format == "pcm":
        return _Raw(sample_rate_hz)
    raise OptionError("format", f"unknown format {stream_format[:40]!r}; available: {', '.join(MEDIA_TYPES)}")
