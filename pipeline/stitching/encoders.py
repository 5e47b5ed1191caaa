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
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from fractions import Fraction
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO, Protocol, TypeVar

import av
import numpy as np
import soundfile
import soxr
from av.stream import Disposition

from pipeline.arrays import Pcm, Samples
from pipeline.books.covers import picture_size
from pipeline.errors import OptionError, StoreError
from pipeline.stitching.chapter_files import AudioWriter, ChapterFiles, Encoder
from pipeline.stitching.flac_blocks import FlacFile
from pipeline.stitching.remux.encoded_run import (
    AAC_BIT_RATE,
    AAC_FRAME,
    AAC_OPTIONS,
    AacEncoder,
    EncodedRun,
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
Writer = TypeVar("Writer", bound=AudioWriter)


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


@contextmanager
def run_writer(path: Path, *, sample_rate_hz: int, samples: int, tags: Tags = NO_TAGS) -> Iterator["M4b"]:
    """Open a file that is joined from encoded runs, as `writer` does."""
    with _placed(path, lambda temporary: M4b(temporary, sample_rate_hz, samples, tags)) as opened:
        yield opened


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
    options: dict[str, str]
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
            self.codec, rate=self._rate_hz, layout="mono", options=self.options, bit_rate=self.bit_rate
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

    def _encode(self, pcm: Pcm) -> None:
        for start in range(0, len(pcm), self._rate_hz):
            part = pcm[start : start + self._rate_hz]
            frame = av.AudioFrame.from_ndarray(part[None], format=self.sample_format, layout="mono")
            frame.sample_rate, frame.pts = self._rate_hz, self._position
            frame.time_base = Fraction(1, self._rate_hz)
            self._position += len(part)
            self._container.mux(self._stream.encode(frame))


class Opus(Compressed):
    """Opus at 40 kbit/s, for transparent mono speech; complexity 5 of 10 encodes 3.6 times as fast as 10."""

    codec, container, sample_format = "libopus", "ogg", "s16"
    bit_rate = 40_000
    options = {"compression_level": "5"}  # noqa: RUF012 - never changed
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
    bit_rate = 64_000
    options = {"compression_level": "7"}  # noqa: RUF012 - never changed
    rates_hz = MPEG_RATES_HZ
    has_pictures = True


class Aac(Compressed):
    """AAC-LC at 64 kbit/s mono in ADTS frames, with an ID3v2 tag before them."""

    codec, container, sample_format = "aac", "adts", "s16"
    bit_rate = AAC_BIT_RATE
    options = dict(AAC_OPTIONS)  # noqa: RUF012 - never changed
    container_options: Mapping[str, str] = MappingProxyType({"write_id3v2": "1"})
    rates_hz = MPEG_RATES_HZ


class M4b:
    """AAC-LC at 64 kbit/s mono in MPEG-4, with chapters, cover and the media type of an audiobook."""

    def __init__(self, path: Path, sample_rate_hz: int, samples: int, tags: Tags) -> None:
        self._rate_hz = sample_rate_hz if sample_rate_hz in MPEG_RATES_HZ else 48000
        self._resampler = _resampler(sample_rate_hz, self._rate_hz)
        self._encoder = AacEncoder(self._rate_hz)
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


def frame_samples(file_format: str, sample_rate_hz: int) -> int:
    """Samples of a packet of a format whose files are joined from encoded runs; 0 for other files."""
    return AAC_FRAME if file_format == "m4b" and sample_rate_hz in MPEG_RATES_HZ else 0


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
    "wav": Wav,
    "flac": Flac,
    "opus": Opus,
    "mp3": Mp3,
    "m4b": M4b,
    "aac": Aac,
    "pcm": Pcm16,
}
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
