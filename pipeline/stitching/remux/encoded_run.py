"""Encoded packets of one run of a file, the unit that is encoded once and joined again after an edit.

A run begins and ends in a pause, at a multiple of the codec's frame. AAC decodes a frame from two packets
(MDCT, ISO/IEC 14496-3, section 4.6.11), so a run is encoded behind some frames of its own pause, whose
packets are dropped. Its first packet decodes with the last one of any other run: both windows hold a pause.
"""

from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol

import av
import numpy as np
import numpy.typing as npt

from pipeline.arrays import Arrays, Pcm
from pipeline.planning.records import PlannedSegment
from pipeline.stitching.levels import Levels, SplitMeter

AAC_FRAME = 1024
PRE_ROLL = 4
"""Frames of the pause that are encoded before a run, and dropped."""


@dataclass(frozen=True, slots=True)
class Codec:
    """Codec whose packets can be joined, with the settings of its encoder."""

    name: str
    """FFmpeg's name of the encoder."""
    bit_rate: int
    options: Mapping[str, str]
    sample_format: str
    pause_frames: int
    """Shortest pause, in frames, in which runs are cut. One frame of it belongs to the run itself. The
    packets of the run before it and those that decode with them hold nothing but the rest.
    """

    def frame(self, sample_rate_hz: int) -> int:
        """Samples of a packet."""
        if self.name == "libopus":
            return sample_rate_hz // 50
        if self.name == "libmp3lame":
            return 576 if sample_rate_hz <= _MPEG2_RATE_MAX_HZ else 1152
        return AAC_FRAME

    def settings(self) -> list[Any]:
        """Facts of the encoder that shape its packets, for a run's key."""
        version = list(av.library_versions["libavcodec"])
        return [self.name, self.bit_rate, dict(self.options), PRE_ROLL, version]


_MPEG2_RATE_MAX_HZ = 24_000
AAC = Codec("aac", 64_000, {"aac_coder": "fast"}, "s16", pause_frames=2)
MP3 = Codec("libmp3lame", 64_000, {"compression_level": "7", "reservoir": "0"}, "s16p", pause_frames=5)
"""Without a bit reservoir, in which a frame has a part of its bits in the frames before it."""
OPUS = Codec("libopus", 40_000, {"compression_level": "5"}, "s16", pause_frames=4)


@dataclass(frozen=True, slots=True)
class EncodedRun:
    """Packets of a run."""

    data: bytes
    """All packets, one behind the other."""
    sizes: "array[int]"
    """Bytes of each packet; some more than the run has frames, for the end of a file."""
    levels: Levels | None = None
    """None if they were not measured."""

    def arrays(self) -> Arrays:
        """Form in the artifact store."""
        found: dict[str, npt.NDArray[Any]] = {
            "data": np.frombuffer(self.data, np.uint8),
            "sizes": np.asarray(self.sizes, np.uint32),
        }
        if self.levels:
            found["momentary_lufs"], found["energies"] = self.levels.momentary_lufs, self.levels.energies
            found["samples"], found["peak"] = np.array([self.levels.samples]), np.array([self.levels.peak])
        return Arrays(found)

    @classmethod
    def of(cls, stored: Arrays) -> "EncodedRun":
        found: Mapping[str, Any] = stored.arrays
        levels = None
        if "peak" in found:
            samples, peak = int(found["samples"][0]), float(found["peak"][0])
            levels = Levels(found["momentary_lufs"], found["energies"], samples, peak)
        return cls(found["data"].tobytes(), array("I", found["sizes"].tolist()), levels)


class EncodedRuns(Protocol):
    """Runs that were encoded before, by their keys."""

    def sound(self, segment: PlannedSegment) -> str:
        """Name of the samples of a segment that are in the file: its key and the take."""
        ...

    def get(self, key: str) -> EncodedRun | None: ...

    def put(self, key: str, run: EncodedRun) -> None: ...


class PacketEncoder:
    """Encoder to packets, mono."""

    def __init__(self, codec: Codec, sample_rate_hz: int) -> None:
        self._codec, self._rate, self._position = codec, sample_rate_hz, 0
        self._context: Any = av.CodecContext.create(codec.name, "w")
        self._context.sample_rate, self._context.layout = sample_rate_hz, "mono"
        self._context.format = "fltp" if codec is AAC else codec.sample_format
        self._context.bit_rate = codec.bit_rate
        self._context.time_base = Fraction(1, sample_rate_hz)
        self._context.options = dict(codec.options)
        self._context.flags |= av.codec.context.Flags.global_header
        self._context.open()

    @property
    def used(self) -> bool:
        """True if samples were encoded."""
        return self._position > 0

    @property
    def config(self) -> bytes:
        """The decoder's configuration; AudioSpecificConfig (ISO/IEC 14496-3, section 1.6.2.1) for AAC."""
        return bytes(self._context.extradata)

    def encode(self, pcm: Pcm) -> list[bytes]:
        """Encode samples; returns the packets that are complete."""
        packets: list[bytes] = []
        for frame in frames(pcm, self._rate, self._codec.sample_format, self._position):
            packets += map(bytes, self._context.encode(frame))
        self._position += len(pcm)
        return packets

    def finish(self) -> list[bytes]:
        """Return the last packets."""
        return [bytes(packet) for packet in self._context.encode(None)]


def frames(pcm: Pcm, sample_rate_hz: int, sample_format: str, position: int) -> Iterator[av.AudioFrame]:
    """Yield samples as FFmpeg's encoders take them, a second at a time.

    Args:
        position: of the first sample in the stream.
    """
    for start in range(0, len(pcm), sample_rate_hz):
        part = pcm[start : start + sample_rate_hz]
        frame = av.AudioFrame.from_ndarray(part[None], format=sample_format, layout="mono")
        frame.sample_rate, frame.pts = sample_rate_hz, position + start
        frame.time_base = Fraction(1, sample_rate_hz)
        yield frame


def encoded(
    codec: Codec, blocks: Iterable[Pcm], sample_rate_hz: int, meter: SplitMeter | None = None
) -> EncodedRun:
    """Encode a run.

    Args:
        blocks: its samples, behind `PRE_ROLL` frames of the pause before it.
        meter: of these frames and of the run.
    """
    encoder, dropped = PacketEncoder(codec, sample_rate_hz), PRE_ROLL
    data, sizes = bytearray(), array("I")

    def take(packets: list[bytes]) -> None:
        nonlocal dropped
        rest, dropped = packets[dropped:], max(0, dropped - len(packets))
        for packet in rest:
            data.extend(packet)
            sizes.append(len(packet))

    for block in blocks:
        take(encoder.encode(block))
        if meter:
            meter.add(block)
    take(encoder.finish())
    return EncodedRun(bytes(data), sizes, meter.levels()[1] if meter else None)
