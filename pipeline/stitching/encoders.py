"""Streaming encoders of finished files: WAV, FLAC, Ogg/Opus, MP3, M4B, AAC and PCM, 16-bit mono.

WAV and FLAC contain no times and no random numbers, so equal samples give equal bytes. Samples are rounded to
16 bits without dither: levelled speech is some 75 dB above the rounding noise, pauses stay digital silence,
and the bytes depend on the samples only. The metadata states that the speech is generated.

FLAC uses libsndfile (62 minutes in 0.9 s on one core; FFmpeg took 1.3 s). The others use FFmpeg through
PyAV: libsndfile encodes Opus at its slowest setting, and its MP3 took 40 % longer.

Tags, chapters and cover are written before the first sample, so there is no second pass over the audio.
"""

import math
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from fractions import Fraction
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO, Protocol, TypeVar, cast

import av
import numpy as np
import soundfile
import soxr
from av.packet import PacketSideData, packet_sidedata_type_from_literal
from av.stream import Disposition

from pipeline.arrays import Pcm, Samples
from pipeline.books.covers import picture_size
from pipeline.errors import OptionError, StoreError
from pipeline.stitching.chapter_files import AudioWriter, ChapterFiles, Encoder
from pipeline.stitching.flac_blocks import FlacFile
from pipeline.stitching.remux.encoded_run import (
    AAC,
    MP3,
    OPUS,
    Codec,
    EncodedRun,
    PacketEncoder,
    frames,
)
from pipeline.stitching.remux.m4b import M4bFile
from pipeline.stitching.tags import NOTICE, Tags, language_code, picture_comment

_OPUS_RATES_HZ = (8000, 12000, 16000, 24000, 48000)
MPEG_RATES_HZ = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
"""Sample rates of MP3 and AAC."""
_RIFF_BYTES_MAX = 0xFFFFFFFF
_FLAC_LEVEL = 0.5
"""libFLAC's level 4 of 8: 0.5 % larger than its default 5, and a fifth faster."""


NO_TAGS = Tags()
Writer = TypeVar("Writer", bound="Closed")


class Closed(Protocol):
    """A file being written."""

    def close(self) -> None: ...


class Sink(Protocol):
    """Target of a stream, which can only be appended to."""

    def write(self, data: bytes) -> int: ...


@contextmanager
def writer(
    path: Path, file_format: str, *, sample_rate_hz: int, samples: int, tags: Tags = NO_TAGS
) -> Iterator[AudioWriter]:
    """Open a file of exactly that many samples, which gets its name when it is complete.

    Args:
        file_format: a name in `ENCODERS`.

    Raises:
        OptionError: unknown format.
        StoreError: the file cannot be written.
    """
    if file_format not in ENCODERS:
        raise OptionError("format", f"unknown format {file_format!r}; available: {', '.join(ENCODERS)}")
    encoder = ENCODERS[file_format]
    with _placed(path, lambda temporary: encoder(temporary, sample_rate_hz, samples, tags)) as opened:
        yield opened


class RunWriter(Protocol):
    """One file being joined from encoded runs."""

    def append(self, run: EncodedRun, samples: int) -> None:
        """Add a run behind the others."""
        ...

    def close(self) -> None: ...


@contextmanager
def run_writer(
    path: Path, file_format: str, codec: Codec, *, sample_rate_hz: int, samples: int, tags: Tags = NO_TAGS
) -> Iterator[RunWriter]:
    """Open a file that is joined from encoded runs, as `writer` does."""

    def open_file(temporary: Path) -> RunWriter:
        opened = ENCODERS[file_format](temporary, sample_rate_hz, samples, tags)
        return JoinedFile(opened, codec, samples) if isinstance(opened, Compressed) else cast(M4b, opened)

    with _placed(path, open_file) as joined:
        yield joined


@contextmanager
def _placed(path: Path, open_file: Callable[[Path], Writer]) -> Iterator[Writer]:
    """Write a file under a temporary name."""
    temporary = path.with_name(f".{path.name}.part")
    try:
        opened = open_file(temporary)
        try:
            yield opened
        except BaseException:
            with suppress(OSError, soundfile.LibsndfileError):  # the first error matters
                opened.close()
            raise
        opened.close()
        temporary.replace(path)
    except (OSError, soundfile.LibsndfileError) as error:
        raise StoreError(f"cannot write {path.name}: {error}") from error
    finally:
        temporary.unlink(missing_ok=True)


class Pcm16:
    """Samples alone: 16-bit little-endian, at the engine's rate. It has no header, so no tags either."""

    def __init__(self, path: Path, sample_rate_hz: int, samples: int, tags: Tags) -> None:
        self._file: BinaryIO = path.open("wb")

    def write(self, pcm: Pcm) -> None:
        self._file.write(pcm.astype("<i2", copy=False).data)

    def close(self) -> None:
        self._file.close()


class Wav(Pcm16):
    """RIFF, or RF64 (EBU Tech 3306) above 4 GiB. The header is final from the start."""

    def __init__(self, path: Path, sample_rate_hz: int, samples: int, tags: Tags) -> None:
        super().__init__(path, sample_rate_hz, samples, tags)
        self._file.write(wav_header(samples, sample_rate_hz, tags.title))


def wav_header(samples: int, sample_rate_hz: int, title: str) -> bytes:
    """Header of a WAV file, up to the samples."""
    fmt = _chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, sample_rate_hz, sample_rate_hz * 2, 2, 16))
    texts = [(b"INAM", title), (b"ICMT", NOTICE), (b"ISFT", "voxchord")]
    info = b"".join(_chunk(name, text.encode() + b"\0") for name, text in texts if text)
    body = fmt + _chunk(b"LIST", b"INFO" + info)
    size = len(b"WAVE") + len(body) + 8 + samples * 2
    if size <= _RIFF_BYTES_MAX:
        return (
            struct.pack("<4sI4s", b"RIFF", size, b"WAVE") + body + struct.pack("<4sI", b"data", samples * 2)
        )
    ds64 = _chunk(b"ds64", struct.pack("<QQQI", size + 36, samples * 2, samples, 0))
    riff = struct.pack("<4sI4s", b"RF64", _RIFF_BYTES_MAX, b"WAVE")
    return riff + ds64 + body + struct.pack("<4sI", b"data", _RIFF_BYTES_MAX)


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack("<4sI", name, len(content)) + content + b"\0" * (len(content) % 2)


class Flac:
    def __init__(self, path: Path, sample_rate_hz: int, samples: int, tags: Tags) -> None:
        self._blocks = None if tags.is_plain else FlacFile(path, tags)
        self._file = soundfile.SoundFile(
            self._blocks or path,
            "w",
            samplerate=sample_rate_hz,
            channels=1,
            format="FLAC",
            subtype="PCM_16",
            compression_level=_FLAC_LEVEL,
        )
        if tags.is_plain:
            self._file.comment = NOTICE
            if tags.title:
                self._file.title = tags.title

    def write(self, pcm: Pcm) -> None:
        self._file.write(pcm)

    def close(self) -> None:
        self._file.close()
        if self._blocks:
            self._blocks.close()


class Compressed:
    """Lossy file through FFmpeg; samples are resampled if the codec does not support their rate."""

    codec: str
    container: str
    bit_rate: int
    options: Mapping[str, str]
    rates_hz: tuple[int, ...]
    sample_format: str
    container_options: Mapping[str, str] = MappingProxyType({})
    has_chapters = True
    """True if FFmpeg writes the container's chapters."""
    has_pictures = False
    """True if the container has the cover as a stream of its own."""

    def __init__(self, target: Path | Sink, sample_rate_hz: int, samples: int, tags: Tags) -> None:
        self._rate_hz = sample_rate_hz if sample_rate_hz in self.rates_hz else 48000
        self._resampler = _resampler(sample_rate_hz, self._rate_hz)
        self._container: Any = av.open(
            str(target) if isinstance(target, Path) else target,
            "w",
            format=self.container,
            options=dict(self.container_options),
        )
        self._container.metadata.update(self._metadata(tags))
        self._stream = self._container.add_stream(
            self.codec, rate=self._rate_hz, layout="mono", options=dict(self.options), bit_rate=self.bit_rate
        )
        if tags.language:
            self._stream.metadata["language"] = language_code(tags.language)
        if tags.chapters and self.has_chapters:
            self._container.set_chapters(_chapters(tags))
        if tags.cover and self.has_pictures:
            _write_cover(self._container, tags)
        self._position = 0

    def _metadata(self, tags: Tags) -> dict[str, str]:
        return tags.named()

    def write(self, pcm: Pcm) -> None:
        self._encode(self._resampler.resample_chunk(pcm) if self._resampler else pcm)

    def close(self) -> None:
        if self._resampler:
            self._encode(self._resampler.resample_chunk(np.zeros(0, np.int16), last=True))
        self._container.mux(self._stream.encode(None))
        self._container.close()

    @property
    def rate_hz(self) -> int:
        """Sample rate of the file."""
        return self._rate_hz

    @property
    def padding(self) -> int:
        """Samples by which the first packet begins before the first sample."""
        return _PADDING[self.codec](self._rate_hz)

    def mux(self, data: bytes, position: int, samples: int, skipped: tuple[int, int]) -> None:
        """Add a packet that is encoded already.

        Args:
            position: its first sample.
            skipped: samples at its start and its end that are not played.
        """
        packet = av.Packet(data)
        packet.stream, packet.time_base = self._stream, Fraction(1, self._rate_hz)
        packet.pts = packet.dts = position
        packet.duration = samples
        if any(skipped):
            skip = PacketSideData(_SKIP_SAMPLES, _SKIP.size)  # type: ignore[call-arg]  # not in the stub
            skip.update(_SKIP.pack(*skipped))
            packet.set_sidedata(skip)
        self._container.mux_one(packet)

    def close_joined(self) -> None:
        """Complete a file whose packets were encoded already."""
        self._container.start_encoding()
        self._container.close()

    def _encode(self, pcm: Pcm) -> None:
        for frame in frames(pcm, self._rate_hz, self.sample_format, self._position):
            self._container.mux(self._stream.encode(frame))
        self._position += len(pcm)


_SKIP_SAMPLES = packet_sidedata_type_from_literal("skip_samples")
_SKIP = struct.Struct("<II2x")
"""FFmpeg's AV_PKT_DATA_SKIP_SAMPLES, from which the header of an MP3 has its delay and padding."""
_PADDING: Mapping[str, Callable[[int], int]] = {
    "aac": AAC.frame,
    "libmp3lame": lambda sample_rate_hz: 1105,
    "libopus": lambda sample_rate_hz: 312 * sample_rate_hz // 48_000,
}
"""Samples before the first one that FFmpeg's encoders put into their first packets (`initial_padding`)."""


class Opus(Compressed):
    """Opus at 40 kbit/s, for transparent mono speech; complexity 5 of 10 encodes 3.6 times as fast as 10."""

    codec, container, sample_format = "libopus", "ogg", "s16"
    bit_rate = OPUS.bit_rate
    options: Mapping[str, str] = OPUS.options
    rates_hz = _OPUS_RATES_HZ
    has_chapters = False

    def _metadata(self, tags: Tags) -> dict[str, str]:
        """Vorbis comments; FFmpeg's own rounds a chapter's start of 2.5 s to 3.5 s."""
        picture = (
            {"METADATA_BLOCK_PICTURE": picture_comment(tags.cover, tags.cover_type)} if tags.cover else {}
        )
        return {**tags.named(), **dict(tags.vorbis_chapters()), **picture}


class Mp3(Compressed):
    """MP3 at 64 kbit/s mono; LAME's quality 7, from 0 (best) to 9, is 1.7 times as fast as 5.

    Chapters are ID3v2 frames CTOC and CHAP, the cover is APIC.
    """

    codec, container, sample_format = "libmp3lame", "mp3", "s16p"
    bit_rate = MP3.bit_rate
    options: Mapping[str, str] = MP3.options
    rates_hz = MPEG_RATES_HZ
    has_pictures = True


class Aac(Compressed):
    """AAC-LC at 64 kbit/s mono in ADTS frames, with an ID3v2 tag before them."""

    codec, container, sample_format = "aac", "adts", "s16"
    bit_rate = AAC.bit_rate
    options: Mapping[str, str] = AAC.options
    container_options: Mapping[str, str] = MappingProxyType({"write_id3v2": "1"})
    rates_hz = MPEG_RATES_HZ


class M4b:
    """AAC-LC at 64 kbit/s mono in MPEG-4, with chapters, cover and the media type of an audiobook."""

    def __init__(self, path: Path, sample_rate_hz: int, samples: int, tags: Tags) -> None:
        self._rate_hz = sample_rate_hz if sample_rate_hz in MPEG_RATES_HZ else 48000
        self._resampler = _resampler(sample_rate_hz, self._rate_hz)
        self._encoder = PacketEncoder(AAC, self._rate_hz)
        self._samples = 0
        expected = math.ceil(samples * self._rate_hz / sample_rate_hz)
        self._file = M4bFile(path, self._rate_hz, expected, tags, self._encoder.config)

    def append(self, run: EncodedRun, samples: int) -> None:
        """Add a run that is encoded already; no samples are written before it."""
        self._samples += samples
        self._file.append(run)

    def write(self, pcm: Pcm) -> None:
        pcm = self._resampler.resample_chunk(pcm) if self._resampler else pcm
        self._samples += len(pcm)
        self._file.write(self._encoder.encode(pcm))

    def close(self) -> None:
        if self._resampler:
            rest = self._resampler.resample_chunk(np.zeros(0, np.int16), last=True)
            self._samples += len(rest)
            self._file.write(self._encoder.encode(rest))
        if self._encoder.used:
            self._file.write(self._encoder.finish())
        self._file.close(self._samples)


class JoinedFile:
    """A file that FFmpeg joins from packets."""

    def __init__(self, opened: Compressed, codec: Codec, samples: int) -> None:
        self._opened, self._frame = opened, codec.frame(opened.rate_hz)
        self._left, self._number = samples, 0
        self._end: list[bytes] = []
        """Packets of the last run that are for the end of a file."""

    def append(self, run: EncodedRun, samples: int) -> None:
        """Add a run behind the others."""
        frames, position = samples // self._frame, 0
        packets = []
        for size in run.sizes:
            packets.append(run.data[position : position + size])
            position += size
        self._write(packets[:frames])
        self._end = packets[frames:]

    def close(self) -> None:
        self._write(self._end)
        self._opened.close_joined()

    def _write(self, packets: Iterable[bytes]) -> None:
        for packet in packets:
            length = min(self._frame, self._left - self._number * self._frame + self._opened.padding)
            position = self._number * self._frame - self._opened.padding
            skipped = self._opened.padding if self._number == 0 else 0
            if length > 0:
                self._opened.mux(packet, position, length, (skipped, self._frame - length))
            self._number += 1


def codec_of(file_format: str, sample_rate_hz: int) -> Codec | None:
    """Codec of a format whose files are joined from encoded runs; None for other files."""
    codec, rates_hz = _JOINED.get(file_format, (None, ()))
    return codec if sample_rate_hz in rates_hz else None


def _resampler(sample_rate_hz: int, to_hz: int) -> soxr.ResampleStream | None:
    """Resampler of a stream; None between equal rates."""
    return None if sample_rate_hz == to_hz else soxr.ResampleStream(sample_rate_hz, to_hz, 1, dtype="int16")


def _chapters(tags: Tags) -> list[dict[str, Any]]:
    """Chapters as FFmpeg has them, in milliseconds."""
    return [
        {
            "id": number,
            "start": round(chapter.start_s * 1000),
            "end": round(chapter.end_s * 1000),
            "time_base": Fraction(1, 1000),
            "metadata": {"title": chapter.title},
        }
        for number, chapter in enumerate(tags.chapters)
    ]


def _write_cover(container: Any, tags: Tags) -> None:
    """Add the cover as the one packet of a stream that is an attached picture."""
    codec = "png" if tags.cover_type == "image/png" else "mjpeg"
    width, height = picture_size(tags.cover)
    stream = container.add_mux_stream(codec, width=width, height=height, time_base=Fraction(1, 90_000))
    stream.disposition = Disposition.attached_pic
    packet = av.Packet(tags.cover)
    packet.stream, packet.pts, packet.dts, packet.time_base = stream, 0, 0, Fraction(1, 90_000)
    packet.is_keyframe = True
    container.mux_one(packet)


_FILES: dict[str, Encoder] = {
    "flac": Flac,
    "wav": Wav,
    "opus": Opus,
    "mp3": Mp3,
    "m4b": M4b,
    "aac": Aac,
    "pcm": Pcm16,
}
_JOINED: Mapping[str, tuple[Codec, tuple[int, ...]]] = {
    "m4b": (AAC, MPEG_RATES_HZ),
    "aac": (AAC, MPEG_RATES_HZ),
    "mp3": (MP3, MPEG_RATES_HZ),
    "opus": (OPUS, _OPUS_RATES_HZ),
}
"""Codecs of formats that are joined from runs, and their sample rates."""
ENCODERS: dict[str, Encoder] = {
    **_FILES,
    **{
        f"{name}.zip": partial(ChapterFiles, encoder=_FILES[name], ending=name)
        for name in ("flac", "opus", "mp3", "m4b")
    },
}
"""Encoders of audio by format; those of `AUDIO_FORMATS` but for read-along books."""


def pcm(samples: Samples) -> Pcm:
    """Convert full-scale float to 16 bits, rounded half to even; values beyond full scale are clipped.

    >>> pcm(np.array([-1.0, 0.0, 0.5, 1.0], np.float32)).tolist()
    [-32767, 0, 16384, 32767]
    """
    scaled = samples * np.float32(32767)
    return np.clip(np.rint(scaled, out=scaled), -32768, 32767, out=scaled).astype(np.int16)
