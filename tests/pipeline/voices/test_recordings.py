import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest

from pipeline.arrays import Samples
from pipeline.errors import VoiceError
from pipeline.voices import recordings
from pipeline.voices.recordings import read
from tests.pipeline.voices.files import RATE_HZ, file


def voice(seconds: float = 2.0, rate_hz: int = RATE_HZ, channels: int = 1) -> npt.NDArray[np.float32]:
    """Generate (n, channels) of an intermittent buzz."""
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    buzz = 0.3 * np.sign(np.sin(2 * np.pi * 120 * time_s)) * np.abs(np.sin(2 * np.pi * 2 * time_s))
    return np.repeat(buzz[:, None], channels, axis=1).astype(np.float32)


def recorded(container: str, codec: str, rate_hz: int = 48_000) -> bytes:
    """Recording of a phone or browser: AAC in M4A, Opus in WebM."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as output:
        stream: Any = output.add_stream(codec, rate=rate_hz, layout="stereo")
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(voice(2, rate_hz, 2).reshape(1, -1)), format="flt", layout="stereo"
        )
        frame.sample_rate = rate_hz
        for part in av.AudioResampler(stream.format, "stereo", rate_hz).resample(frame):
            output.mux(stream.encode(part))
        output.mux(stream.encode(None))
    return buffer.getvalue()


def reading(data: bytes) -> tuple[Samples, int]:
    reference = read("Ann", data)
    assert reference.samples is not None
    assert reference.sample_rate_hz is not None
    return reference.samples, reference.sample_rate_hz


@pytest.mark.parametrize("container", ["WAV", "FLAC", "AIFF", "OGG", "MP3", "W64", "CAF"])
def test_libsndfile_formats_are_read(container: str) -> None:
    samples, rate_hz = reading(file(voice(), container=container))
    assert rate_hz == RATE_HZ
    assert len(samples) == pytest.approx(2 * RATE_HZ, abs=2000)
    assert samples.dtype == np.float32


@pytest.mark.parametrize(("container", "codec"), [("ipod", "aac"), ("webm", "libopus"), ("adts", "aac")])
def test_phone_and_browser_formats_are_read(container: str, codec: str) -> None:
    samples, rate_hz = reading(recorded(container, codec))
    assert rate_hz == 48_000
    assert len(samples) == pytest.approx(2 * 48_000, abs=3000)
    assert np.sqrt(np.mean(samples**2)) == pytest.approx(np.sqrt(np.mean(voice() ** 2)), rel=0.1)


def test_channels_are_mixed_down() -> None:
    both = voice(channels=2)
    both[:, 1] = 0
    samples, _ = reading(file(both, subtype="FLOAT"))
    np.testing.assert_allclose(samples, voice()[:, 0] / 2)


def test_high_sample_rates_are_converted() -> None:
    samples, rate_hz = reading(file(voice(2, 192_000), 192_000))
    assert (rate_hz, len(samples)) == (48_000, 96_000)


BAD: dict[str, tuple[Callable[[], bytes], str]] = {
    "nothing": (lambda: b"", "not audio"),
    "words": (lambda: b"Speaker 1: I am not a recording.\n" * 99, "not audio"),
    "a broken M4A": (lambda: recorded("ipod", "aac")[:2000], "not audio, or damaged"),
    "an M4A by its first bytes only": (lambda: b"\0\0\0\x1cftypM4A " + b"x" * 4000, "not audio, or damaged"),
    "a WebM by its first bytes only": (lambda: b"\x1aE\xdf\xa3" + b"x" * 4000, "not audio, or damaged"),
    "a header without samples": (lambda: file(voice(0)), "is 0.00 s"),
    "too short": (lambda: file(voice(0.99)), "is 0.99 s, shorter than 1 s"),
    "too long": (lambda: file(voice(301, 8000), 8000), "longer than 300 s"),
    "too long, compressed well": (
        lambda: file(np.zeros((3000 * 8000, 1), np.float32), 8000, "FLAC"),
        "longer than 300 s",
    ),
    "too many channels": (lambda: file(voice(1, channels=9)), "9 channels, more than 8"),
    "sampled too slowly": (lambda: file(voice(2, 4000), 4000), "sample rate is 4000 Hz"),
    "sampled too fast": (lambda: file(voice(1, 384_000), 384_000), "sample rate is 384000 Hz"),
    "silent": (lambda: file(voice() * 0), "silent"),
    "nearly silent": (lambda: file(voice() * 1e-3, subtype="FLOAT"), "silent"),
    "silent but for a click": (lambda: file(np.eye(48_000, 1, -99).astype(np.float32)), "silent"),
    "not finite": (lambda: file(voice() * np.float32(np.nan), subtype="FLOAT"), "not finite"),
}


@pytest.mark.parametrize(("made", "reason"), BAD.values(), ids=BAD.keys())
def test_unusable_recordings_are_refused_with_the_reason(made: Callable[[], bytes], reason: str) -> None:
    with pytest.raises(VoiceError, match=reason) as caught:
        read("Ann", made())
    assert caught.value.voice == "Ann"
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)  # noqa: S301 - our own


def test_files_over_the_size_limit_are_not_decoded() -> None:
    with pytest.raises(VoiceError, match=r"more than 134,217,728"):
        read("Ann", bytes(recordings.BYTES_MAX + 1))


def test_recordings_cannot_make_decoders_open_paths(tmp_path: Path) -> None:
    wav = tmp_path / "private.wav"
    wav.write_bytes(file(voice()))
    for playlist in (
        f"#EXTM3U\n#EXTINF:2,\n{wav}\n",
        f"ffconcat version 1.0\nfile '{wav}'\n",
        f"file://{wav}",
    ):
        with pytest.raises(VoiceError, match="not audio"):
            read("Ann", playlist.encode())
