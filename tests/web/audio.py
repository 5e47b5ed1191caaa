"""Decoding and measuring of streams."""

import io
from dataclasses import dataclass

import av
import numpy as np
import numpy.typing as npt

CONTAINERS = {"mp3": "mp3", "opus": "ogg", "aac": "aac", "flac": "flac", "wav": "wav"}


@dataclass(frozen=True, slots=True)
class Sound:
    """Decoded audio."""

    samples: npt.NDArray[np.float32]
    rate_hz: int

    @property
    def duration_s(self) -> float:
        return len(self.samples) / self.rate_hz

    @property
    def rms(self) -> float:
        return float(np.sqrt(np.mean(np.square(self.samples))))


def decoded(data: bytes, stream_format: str) -> Sound:
    """Decode a stream; raw samples are those of the convention."""
    if stream_format == "pcm":
        return Sound(np.frombuffer(data, "<i2").astype(np.float32) / np.float32(32767), 24_000)
    with av.open(io.BytesIO(data), format=CONTAINERS[stream_format]) as container:
        frames = list(container.decode(audio=0))
        resampler = av.AudioResampler("flt", "mono", frames[0].sample_rate)
        parts = [part.to_ndarray()[0] for frame in frames for part in resampler.resample(frame)]
    return Sound(np.concatenate(parts), frames[0].sample_rate)
