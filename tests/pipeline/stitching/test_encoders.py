import io
import struct
import wave
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from pipeline.arrays import Pcm, Samples
from pipeline.file_formats import AUDIO_FORMATS, READ_ALONG
from pipeline.stitching.encoders import ENCODERS, pcm, wav_header, writer
from pipeline.stitching.tags import NOTICE, Tags

RATE_HZ = 24_000
TAGGED = [name for name in ENCODERS if name != "pcm" and not name.endswith(".zip")]
"""Samples alone have no tags, and archives have files that do."""


def speech_like(seconds: float, rate_hz: int = RATE_HZ) -> Pcm:
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    voiced = np.sin(2 * np.pi * 180 * time_s) + 0.5 * np.sin(2 * np.pi * 1100 * time_s)
    return pcm((0.3 * voiced * np.sin(2 * np.pi * 3 * time_s)).astype(np.float32))


def written(path: Path, file_format: str, samples: Pcm, rate_hz: int = RATE_HZ, title: str = "") -> Path:
    with writer(
        path, file_format, sample_rate_hz=rate_hz, samples=len(samples), tags=Tags(title=title)
    ) as file:
        for start in range(0, len(samples), 10_007):
            file.write(samples[start : start + 10_007])
    return path


def through_ffmpeg(path: Path) -> tuple[Samples, dict[str, str], int]:
    with av.open(str(path)) as container:
        stream: Any = container.streams.audio[0]
        metadata = {**container.metadata, **stream.metadata}
        resampler = av.AudioResampler("flt", "mono", stream.rate)
        frames = [
            out.to_ndarray()[0] for frame in container.decode(stream) for out in resampler.resample(frame)
        ]
        return np.concatenate(frames), {key.lower(): value for key, value in metadata.items()}, stream.rate


@pytest.mark.parametrize("file_format", ["wav", "flac"])
def test_lossless_files_are_exact_and_reproducible(tmp_path: Path, file_format: str) -> None:
    samples = speech_like(3)
    first = written(tmp_path / "first", file_format, samples, title="A title")
    second = written(tmp_path / "second", file_format, samples, title="A title")
    assert first.read_bytes() == second.read_bytes()
    decoded, _, _ = through_ffmpeg(first)
    np.testing.assert_array_equal(np.rint(decoded * 32768).astype(np.int16), samples)


def test_wavs_are_read_by_the_standard_library(tmp_path: Path) -> None:
    samples = speech_like(1)
    with wave.open(str(written(tmp_path / "out.wav", "wav", samples)), "rb") as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (RATE_HZ, 1, 2)
        assert file.readframes(file.getnframes()) == samples.tobytes()


@pytest.mark.parametrize("file_format", ["opus", "mp3"])
@pytest.mark.parametrize("rate_hz", [24_000, 22_050, 37_800])
def test_lossy_files_are_similar_and_have_the_same_length(
    tmp_path: Path, file_format: str, rate_hz: int
) -> None:
    samples = speech_like(3, rate_hz)
    decoded, _, decoded_rate_hz = through_ffmpeg(written(tmp_path / "out", file_format, samples, rate_hz))
    assert len(decoded) / decoded_rate_hz == pytest.approx(3, abs=0.1)
    level = np.sqrt(np.mean(decoded**2)), np.sqrt(np.mean((samples / 32768) ** 2))
    assert level[0] == pytest.approx(level[1], rel=0.1)


@pytest.mark.parametrize("file_format", TAGGED)
def test_files_state_that_speech_is_generated(tmp_path: Path, file_format: str) -> None:
    _, metadata, _ = through_ffmpeg(written(tmp_path / "out", file_format, speech_like(1), title="Grüße"))
    assert metadata["comment"] == NOTICE
    assert metadata["title"] == "Grüße"
    assert "AI-generated" in NOTICE


@pytest.mark.parametrize("file_format", TAGGED)
def test_a_title_is_optional(tmp_path: Path, file_format: str) -> None:
    _, metadata, _ = through_ffmpeg(written(tmp_path / "out", file_format, speech_like(1)))
    assert metadata["comment"] == NOTICE
    assert "title" not in metadata


def test_wavs_above_4_gib_are_rf64(tmp_path: Path) -> None:
    samples = 3 << 30
    path = tmp_path / "long.wav"
    header = wav_header(samples, 48_000, "")
    with path.open("wb") as sparse:
        sparse.write(header)
        sparse.truncate(len(header) + 2 * samples)
    assert header.startswith(b"RF64")
    info = soundfile.info(str(path))
    assert (info.format, info.frames, info.samplerate, info.channels) == ("RF64", samples, 48_000, 1)
    with av.open(str(path)) as container:
        assert container.duration == pytest.approx(samples / 48_000 * av.time_base, rel=1e-6)


@given(st.integers(0, 1 << 33), st.text(max_size=9).filter(lambda text: "\0" not in text))
def test_wav_headers_have_correct_sizes(samples: int, title: str) -> None:
    header = wav_header(samples, RATE_HZ, title)
    (size,) = struct.unpack("<I", header[4:8])
    if header.startswith(b"RF64"):
        size, data_bytes, frames = struct.unpack("<QQQ", header[20:44])
        assert (data_bytes, frames) == (2 * samples, samples)
        assert size > 0xFFFFFFFF
    assert size + 8 == len(header) + 2 * samples
    assert len(header) % 2 == 0


def test_wavs_below_4_gib_are_riff() -> None:
    room = (0xFFFFFFFF - len(wav_header(0, RATE_HZ, "")) + 8) // 2
    assert wav_header(room, RATE_HZ, "").startswith(b"RIFF")
    assert wav_header(room + 1, RATE_HZ, "").startswith(b"RF64")


def test_files_get_their_name_when_complete(tmp_path: Path) -> None:
    path = tmp_path / "out.flac"
    path.write_bytes(b"the one before")
    with writer(path, "flac", sample_rate_hz=RATE_HZ, samples=RATE_HZ) as file:
        file.write(speech_like(1))
        assert path.read_bytes() == b"the one before"
    assert path.read_bytes().startswith(b"fLaC")
    assert [left.name for left in tmp_path.iterdir()] == ["out.flac"]


def test_failed_writes_leave_the_previous_file(tmp_path: Path) -> None:
    path = written(tmp_path / "out.flac", "flac", speech_like(1))
    before = path.read_bytes()

    def give_up() -> None:
        with writer(path, "flac", sample_rate_hz=RATE_HZ, samples=9) as file:
            file.write(speech_like(2))
            raise KeyError

    with pytest.raises(KeyError):
        give_up()
    assert path.read_bytes() == before
    assert [left.name for left in tmp_path.iterdir()] == ["out.flac"]


def test_samples_beyond_full_scale_are_clipped() -> None:
    assert pcm(np.array([2.0, -2.0], np.float32)).tolist() == [32767, -32768]


def test_samples_are_rounded_to_the_nearest_16_bit_value() -> None:
    exact = np.linspace(-1, 1, 999, dtype=np.float32)
    buffer = io.BytesIO(pcm(exact).tobytes())
    assert np.abs(np.frombuffer(buffer.getvalue(), np.int16) - exact * 32767).max() <= 0.51


def test_every_format_has_an_encoder() -> None:
    assert ENCODERS.keys() == AUDIO_FORMATS.keys() - {READ_ALONG}
