import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bench.harness.controls import Watch
from pipeline.arrays import Samples
from pipeline.engines.protocol import Utterance
from pipeline.errors import CancelledError, EngineError, MissingArtifactError, OptionError, StoreError
from pipeline.planning.records import PlannedLine, PlannedSegment, SegmentAudio
from pipeline.stitching.loudness import measure, spans
from pipeline.stitching.mixer import PAUSES, Progress, Stitched, stitch
from pipeline.stitching.timeline import Pauses

RATE_HZ = 24_000

Part = tuple[PlannedSegment, SegmentAudio | None]


class Cancelled(Watch):
    def check(self) -> None:
        super().check()
        if self.checks > 1:
            raise CancelledError("job")


class Made:
    """Segments of tones, one utterance per line, with their samples."""

    def __init__(self, *segments: Sequence[tuple[str, Samples]]) -> None:
        self.parts: list[Part] = []
        self.samples: dict[str, Samples] = {}
        turn = 0
        for index, lines in enumerate(segments):
            planned = [
                PlannedLine(turn + i, turn + i + 1, name, f"Line {i}.") for i, (name, _) in enumerate(lines)
            ]
            turn += len(lines)
            heard = [Utterance(i, f"Line {i}.", samples) for i, (_, samples) in enumerate(lines)]
            joined, found = spans(heard, RATE_HZ)
            key = f"key{index}"
            self.samples[key] = joined
            names = tuple(dict.fromkeys(name for name, _ in lines))
            segment = PlannedSegment(index, key, index, tuple(planned), names, 2 * len(lines))
            self.parts.append((segment, SegmentAudio(RATE_HZ, len(joined), found)))

    def read(self, planned: PlannedSegment) -> Samples:
        return self.samples[planned.key]

    def stitch(
        self,
        out: Path,
        file_format: str = "flac",
        *,
        control: Watch | None = None,
        pauses: Pauses = PAUSES,
        progress: Progress = lambda done, of: None,
    ) -> Stitched:
        return stitch(
            self.parts,
            self.read,
            out=out,
            file_format=file_format,
            sample_rate_hz=RATE_HZ,
            words_per_s=2.5,
            control=control or Watch(),
            pauses=pauses,
            progress=progress,
        )


def tone(seconds: float = 1.0, amplitude: float = 0.2, hz: float = 220.0) -> Samples:
    """Tone with abrupt start and end, unlike speech."""
    phase = 2 * np.pi * hz * np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return (amplitude * np.cos(phase)).astype(np.float32)


def decoded(path: Path) -> Samples:
    samples, rate = soundfile.read(path, dtype="float32")
    assert rate == RATE_HZ
    return np.asarray(samples, np.float32)


def test_all_lines_are_in_the_file_in_order_and_on_time(tmp_path: Path) -> None:
    made = Made([("A", tone(1.0)), ("B", tone(0.5))], [("B", tone(0.25))])
    result = made.stitch(tmp_path / "out.flac", pauses=Pauses(turn_ms=100, speaker_ms=200))
    assert [(t.turn, t.source_line, t.speaker, t.start_s, t.end_s) for t in result.turns] == [
        (0, 1, "A", 0.0, 1.0),
        (1, 2, "B", 1.2, 1.7),
        (2, 3, "B", 1.8, 2.05),
    ]
    samples = decoded(tmp_path / "out.flac")
    assert len(samples) == round(result.duration_s * RATE_HZ) == 49_200
    loud = np.abs(samples) > 0.01
    assert not loud[round(1.0 * RATE_HZ) : round(1.2 * RATE_HZ)].any()
    for turn in result.turns:
        middle = round((turn.start_s + turn.end_s) / 2 * RATE_HZ)
        assert loud[middle - 100 : middle + 100].mean() > 0.8


def test_manifests_have_the_hash_of_the_file(tmp_path: Path) -> None:
    result = Made([("A", tone())]).stitch(tmp_path / "out.wav", "wav")
    data = (tmp_path / "out.wav").read_bytes()
    assert (result.sha256, result.bytes) == (hashlib.sha256(data).hexdigest(), len(data))
    assert [path.name for path in tmp_path.iterdir()] == ["out.wav"]


@pytest.mark.parametrize("file_format", ["wav", "flac"])
def test_equal_segments_give_equal_bytes(tmp_path: Path, file_format: str) -> None:
    made = [Made([("A", tone(1, 0.1)), ("B", tone(1, 0.9))], [("A", tone(2))]) for _ in range(2)]
    first, second = (m.stitch(tmp_path / f"{i}.x", file_format) for i, m in enumerate(made))
    assert first == second


def test_joins_have_no_clicks(tmp_path: Path) -> None:
    made = Made([("A", tone()), ("B", tone())], [("A", tone()), ("A", tone())])
    made.stitch(tmp_path / "out.wav", "wav")
    steps = np.abs(np.diff(decoded(tmp_path / "out.wav"), prepend=0, append=0))
    within = steps[RATE_HZ // 4 : RATE_HZ // 2].max()
    assert steps.max() < 1.5 * within, "a cosine cut off at its top would step by its whole amplitude"


def test_speakers_are_equally_loud(tmp_path: Path) -> None:
    made = Made([("A", tone(2, 0.02)), ("B", tone(2, 0.5))])
    result = made.stitch(tmp_path / "out.wav", "wav")
    samples = decoded(tmp_path / "out.wav")
    each = [samples[round(t.start_s * RATE_HZ) : round(t.end_s * RATE_HZ)] for t in result.turns]
    assert [measure(part, RATE_HZ)[0] for part in each] == pytest.approx([-19.0, -19.0], abs=0.2)
    assert result.loudness.lufs == pytest.approx(measure(samples, RATE_HZ)[0], abs=0.5)
    assert {voice.speaker for voice in result.loudness.voices} == {"A", "B"}


def test_true_peaks_stay_below_the_ceiling(tmp_path: Path) -> None:
    spiky = tone(2, 0.05)
    spiky[[9000, 20_000, 20_001]] = [0.9, -1.4, 1.4]
    result = Made([("A", spiky), ("B", tone(2))]).stitch(tmp_path / "out.wav", "wav")
    assert result.loudness.spans_limited == 1
    _, peak = measure(decoded(tmp_path / "out.wav"), RATE_HZ)
    assert 20 * np.log10(peak) <= -1.0 + 0.001
    assert result.loudness.true_peak_dbtp == -1.0


def test_engines_that_mix_speakers_keep_their_balance(tmp_path: Path) -> None:
    lines = (PlannedLine(0, 1, "A", "Quiet."), PlannedLine(1, 2, "B", "Loud."))
    both, found = spans(
        [Utterance(0, "Quiet. Loud.", np.concatenate([tone(1, 0.1), tone(1, 0.2)]), 2)], RATE_HZ
    )
    made = Made()
    made.parts = [(PlannedSegment(0, "k", 0, lines, ("A", "B"), 2), SegmentAudio(RATE_HZ, len(both), found))]
    made.samples = {"k": both}
    result = made.stitch(tmp_path / "out.wav", "wav")
    samples = np.abs(decoded(tmp_path / "out.wav"))
    assert samples[-20_000:-10_000].max() / samples[10_000:20_000].max() == pytest.approx(2, rel=0.01)
    assert [voice.speaker for voice in result.loudness.voices] == ["*"]


def test_silence_is_unchanged(tmp_path: Path) -> None:
    result = Made([("A", np.zeros(RATE_HZ, np.float32))]).stitch(tmp_path / "out.flac")
    assert not decoded(tmp_path / "out.flac").any()
    assert (result.loudness.lufs, result.loudness.true_peak_dbtp) == (None, None)


def test_missing_segments_are_silent_and_named(tmp_path: Path) -> None:
    made = Made([("A", tone(2))], [("B", tone(1))], [("A", tone(1))])
    made.parts[1] = (made.parts[1][0], None)
    del made.samples["key1"]
    result = made.stitch(tmp_path / "out.wav", "wav")
    (gap,) = result.gaps
    assert (gap.segment, gap.source_line) == (1, 2)
    assert gap.end_s - gap.start_s == pytest.approx(1.5), "two words, at the pace of the other four in 3 s"
    samples = decoded(tmp_path / "out.wav")
    assert not samples[round(gap.start_s * RATE_HZ) : round(gap.end_s * RATE_HZ)].any()
    assert "Line 0." in result.srt
    assert result.vtt.count("<v A>") == 2
    assert "<v B>" not in result.vtt


def test_control_is_checked_before_each_segment(tmp_path: Path) -> None:
    control, seen = Watch(), list[tuple[int, int]]()
    made = Made([("A", tone())], [("A", tone())], [("A", tone())])
    made.stitch(tmp_path / "out.wav", "wav", control=control, progress=lambda *done: seen.append(done))
    assert control.checks == 3
    assert seen == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize("file_format", ["wav", "flac", "opus", "mp3"])
def test_cancelled_jobs_leave_no_file(tmp_path: Path, file_format: str) -> None:
    with pytest.raises(CancelledError):
        Made([("A", tone())], [("A", tone())]).stitch(tmp_path / "out.x", file_format, control=Cancelled())
    assert not list(tmp_path.iterdir())


def test_samples_that_differ_from_their_record_count_as_missing(tmp_path: Path) -> None:
    made = Made([("A", tone())], [("B", tone())])
    made.samples["key1"] = tone(0.5)
    with pytest.raises(MissingArtifactError, match="key1"):
        made.stitch(tmp_path / "out.flac")
    assert not list(tmp_path.iterdir())


def test_segments_with_another_sample_rate_are_refused(tmp_path: Path) -> None:
    made = Made([("A", tone())])
    made.parts = [(planned, SegmentAudio(16_000, 1, ())) for planned, _ in made.parts]
    with pytest.raises(EngineError, match="16000 Hz"):
        made.stitch(tmp_path / "out.flac")


def test_unknown_formats_are_named_with_the_available_ones(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"unknown format 'wma'; available: flac, wav, opus, mp3"):
        Made([("A", tone())]).stitch(tmp_path / "out.wma", "wma")


@pytest.mark.parametrize("file_format", ["wav", "flac", "opus", "mp3"])
def test_unwritable_outputs_are_named(tmp_path: Path, file_format: str) -> None:
    with pytest.raises(StoreError, match=r"out\.x"):
        Made([("A", tone())]).stitch(tmp_path / "nowhere" / "out.x", file_format)


def _within_floor(level: float) -> Samples:
    """Two seconds of a tone with a second of noise before and after it."""
    rng = np.random.default_rng(3)
    samples = rng.normal(0, level, 4 * RATE_HZ).astype(np.float32)
    samples[RATE_HZ : 3 * RATE_HZ] += tone(2.0)[: 2 * RATE_HZ]
    return samples


def test_pauses_have_the_floor_of_their_engine(tmp_path: Path) -> None:
    made = Made([("A", _within_floor(0.001)), ("A", _within_floor(0.001))], [("B", _within_floor(0.001))])
    made.stitch(tmp_path / "out.wav", "wav")
    samples, _ = soundfile.read(tmp_path / "out.wav", dtype="float32")
    levels = np.sqrt(np.mean(np.square(samples[: len(samples) // 240 * 240].reshape(-1, 240)), axis=1))
    quiet = levels[levels < 0.05]
    assert len(quiet) > 600, "pauses and the ends of the spans"
    assert quiet.max() / quiet.min() < 2.5, "neither a hole nor a burst"
    assert np.count_nonzero(samples == 0) < len(samples) / 20
    again = made.stitch(tmp_path / "again.wav", "wav")
    assert again.sha256 == made.stitch(tmp_path / "third.wav", "wav").sha256


def test_pauses_of_a_silent_engine_are_silent(tmp_path: Path) -> None:
    made = Made([("A", _within_floor(0.0)), ("A", _within_floor(0.0))])
    made.stitch(tmp_path / "out.wav", "wav")
    samples, _ = soundfile.read(tmp_path / "out.wav", dtype="float32")
    assert np.count_nonzero(samples == 0) >= PAUSES.turn_ms * RATE_HZ / 1000
