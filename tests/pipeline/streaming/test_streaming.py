"""Tests of the stream's samples, levels and encoders."""

import io
import tracemalloc
from pathlib import Path

import av
import numpy as np
import pytest

from bench.harness.recordings import speech
from pipeline.arrays import Samples
from pipeline.engines.protocol import Utterance
from pipeline.errors import MissingArtifactError, OptionError
from pipeline.jobs.artifacts import put_audio, take_name
from pipeline.planning.records import PlannedLine, PlannedSegment, SegmentAudio
from pipeline.stitching import loudness
from pipeline.stitching.encoders import pcm
from pipeline.store.artifacts import Store
from pipeline.streaming.encoders import MEDIA_TYPES, encoder
from pipeline.streaming.levels import Segment, blocks
from pipeline.streaming.samples import open_samples

RATE_HZ = 24_000
KEY = "3f" * 16


def segment(samples: Samples, text: str = "Words.", index: int = 0) -> tuple[Segment, Samples]:
    line = PlannedLine(index, index + 1, "Narrator", text)
    whole, spans = loudness.spans([Utterance(0, text, samples)], RATE_HZ)
    planned = PlannedSegment(index, KEY, 1, (line,), ("Narrator",), 1)
    return (planned, SegmentAudio(RATE_HZ, len(whole), spans)), whole


def levelled(before: Segment | None, of: Segment, samples: Samples) -> Samples:
    def read(start: int, count: int) -> Samples:
        return samples[start : start + count]

    return np.concatenate([*blocks(before, of, read, sample_rate_hz=RATE_HZ, words_per_s=2.0)])


def test_ranges_are_those_of_the_stored_samples(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    samples = np.arange(3_000_000, dtype=np.float32)
    put_audio(store, KEY, samples, SegmentAudio(RATE_HZ, len(samples), ()))
    file = open_samples(store, KEY, 0)
    assert file.samples == len(samples)
    assert np.array_equal(file.read(1_234_567, 1000), samples[1_234_567:1_235_567])


def test_damaged_samples_count_as_missing(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    put_audio(store, KEY, np.ones(2_000_000, np.float32), SegmentAudio(RATE_HZ, 2_000_000, ()))
    path = tmp_path / take_name(KEY, 0, "audio")
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    with pytest.raises(MissingArtifactError):
        open_samples(store, KEY, 0)
    path.unlink()
    with pytest.raises(MissingArtifactError):
        open_samples(store, KEY, 0)


def test_verification_does_not_hold_the_segment_in_memory(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    put_audio(store, KEY, np.ones(10_000_000, np.float32), SegmentAudio(RATE_HZ, 10_000_000, ()))
    tracemalloc.start()
    open_samples(store, KEY, 0).read(5_000_000, 1000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20


def test_the_level_of_a_segment_is_its_own() -> None:
    quiet, samples = segment(speech() * np.float32(0.3))
    loud, louder = segment(speech() * np.float32(0.8))
    one, other = levelled(None, quiet, samples), levelled(None, loud, louder)
    for found in (one, other):
        lufs = loudness.measure(found, RATE_HZ)[0]
        assert lufs is not None
        assert lufs == pytest.approx(-19, abs=1.5)


def test_segments_are_parted_by_the_pause_of_the_file() -> None:
    first, _ = segment(speech())
    second, samples = segment(speech(), index=1)
    alone, after = levelled(None, second, samples), levelled(first, second, samples)
    pause = len(after) - len(alone)
    assert pause == round(0.25 * RATE_HZ)
    assert not after[:pause].any()
    assert np.array_equal(after[pause:], alone)


def test_a_gap_is_silence_of_the_expected_length() -> None:
    (planned, _), _ = segment(speech())
    found = levelled(None, (planned, None), np.zeros(0, np.float32))
    assert len(found) == RATE_HZ // 2
    assert not found.any()


@pytest.mark.parametrize("name", MEDIA_TYPES)
@pytest.mark.parametrize("rate_hz", [16_000, 22_050, 24_000, 44_100])
def test_streams_have_the_length_of_their_samples(name: str, rate_hz: int) -> None:
    samples = pcm((0.3 * np.sin(np.arange(3 * rate_hz) / 20)).astype(np.float32))
    stream = encoder(name, rate_hz)
    parts = [stream.encode(samples[start : start + rate_hz]) for start in range(0, 3 * rate_hz, rate_hz)]
    assert parts[0], "the first second is sent before the second one exists"
    data = b"".join([*parts, stream.finish()])
    if name == "pcm":
        assert len(data) == pytest.approx(2 * 3 * 24_000, abs=100)
        return
    with av.open(io.BytesIO(data)) as container:
        length_s = sum(frame.samples / frame.sample_rate for frame in container.decode(audio=0))
    assert length_s == pytest.approx(3, abs=0.11)


def test_lossless_streams_hold_the_samples() -> None:
    samples = pcm(speech())
    for name in ("flac", "wav"):
        stream = encoder(name, RATE_HZ)
        data = stream.encode(samples) + stream.finish()
        with av.open(io.BytesIO(data)) as container:
            found = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
        assert np.array_equal(found[: len(samples)], samples)


def test_unknown_formats_are_refused() -> None:
    with pytest.raises(OptionError, match="unknown format"):
        encoder("ogg", RATE_HZ)
