"""Levels of audio, and their limits."""

from pathlib import Path

import numpy as np
import pytest

from bench.harness.controls import Watch
from bench.stitch import RATE_HZ, sentence
from pipeline.arrays import Pcm
from pipeline.engines.protocol import Utterance
from pipeline.planning.records import PlannedLine, PlannedSegment, SegmentAudio
from pipeline.stitching.encoders import pcm
from pipeline.stitching.levels import LevelMeter, Levels, SplitMeter, joined
from pipeline.stitching.loudness import measure, spans
from pipeline.stitching.mixer import Stitched, stitch
from pipeline.stitching.presets import PRESETS, MeasuredFile, corrected, report
from pipeline.stitching.remux.encoded_run import EncodedRun


def speech(gain: float = 1.0) -> Pcm:
    pause = np.zeros(RATE_HZ, np.float32)
    parts = [part for seed in range(4) for part in (pause, sentence(seed))]
    return pcm(gain * np.concatenate(parts))


def levels_of(samples: Pcm, block: int = 7919) -> Levels:
    meter = LevelMeter(RATE_HZ)
    for start in range(0, len(samples), block):
        meter.add(samples[start : start + block])
    return meter.levels()


def file(samples: Pcm, **changed: float) -> MeasuredFile:
    values = {"true_peak_dbtp": -3.6, "head_s": 0.75, "tail_s": 2.0, **changed}
    return MeasuredFile(levels_of(samples), RATE_HZ, **values)


def test_levels_are_those_of_the_whole() -> None:
    samples = speech()
    exact = samples.astype(np.float64) / 32768
    found = levels_of(samples)
    assert found.lufs == pytest.approx(measure(exact.astype(np.float32), RATE_HZ)[0], abs=0.02)
    assert found.rms_dbfs == pytest.approx(10 * np.log10(np.mean(exact**2)), abs=1e-4)
    assert found.peak_dbfs == pytest.approx(20 * np.log10(np.abs(exact).max()), abs=1e-4)
    assert found.floor_dbfs(RATE_HZ) is None


def test_floors_are_the_quietest_half_second() -> None:
    noise = np.random.default_rng(1).standard_normal(3 * RATE_HZ)
    noise[: 2 * RATE_HZ] *= 0.1
    noise[2 * RATE_HZ :] *= 0.001
    assert levels_of(pcm(noise.astype(np.float32))).floor_dbfs(RATE_HZ) == pytest.approx(-60, abs=0.3)


def test_stretches_join_to_the_levels_of_the_whole() -> None:
    samples = speech()
    meter = SplitMeter(RATE_HZ, [30_000, 100_000, len(samples)])
    for start in range(0, len(samples), 9000):
        meter.add(samples[start : start + 9000])
    whole, parts = levels_of(samples), joined(meter.levels())
    assert parts.samples == whole.samples == len(samples)
    assert parts.rms_dbfs == pytest.approx(whole.rms_dbfs)
    assert parts.peak == whole.peak
    assert parts.lufs == pytest.approx(whole.lufs, abs=0.2)


def test_silence_has_no_levels() -> None:
    found = levels_of(np.zeros(RATE_HZ, np.int16))
    assert (found.lufs, found.rms_dbfs, found.peak_dbfs, found.floor_dbfs(RATE_HZ)) == (None,) * 4
    silent = report("audiobook", [file(np.zeros(RATE_HZ, np.int16))])
    assert [each.name for each in silent.measurements if not each.passed] == ["rms_dbfs"]


@pytest.mark.parametrize(
    ("changed", "failed"),
    [({}, []), ({"head_s": 0.1}, ["head_s"]), ({"head_s": 1.2}, ["head_s"]), ({"tail_s": 0.9}, ["tail_s"])],
)
def test_a_measurement_beyond_its_limit_fails_the_report(
    changed: dict[str, float], failed: list[str]
) -> None:
    samples = speech()
    right = speech(10 ** ((-20.5 - float(levels_of(samples).rms_dbfs or 0)) / 20))
    found = report("audiobook", [file(right, **changed)])
    assert [each.name for each in found.measurements if not each.passed] == failed
    assert found.passed == (not failed)


def test_loud_floors_and_levels_fail() -> None:
    hum = pcm(0.01 * np.sin(2 * np.pi * 50 * np.arange(9 * RATE_HZ) / RATE_HZ).astype(np.float32))
    found = report("audiobook", [file(hum)])
    assert [each.name for each in found.measurements if not each.passed] == ["rms_dbfs", "floor_dbfs"]


def test_the_worst_file_of_an_archive_is_reported() -> None:
    found = report("audiobook", [file(speech()), file(speech(), tail_s=0.2), file(speech(), tail_s=0.6)])
    tail = next(each for each in found.measurements if each.name == "tail_s")
    assert (tail.value, tail.file, tail.passed) == (0.2, 2, False)


def test_targets_are_corrected_by_what_is_measured() -> None:
    targets = PRESETS["broadcast"].targets
    assert corrected("broadcast", targets, -23.2) is None
    assert corrected("broadcast", targets, None) is None
    again = corrected("broadcast", targets, -24.1)
    assert again is not None
    assert again.target_lufs == pytest.approx(-21.9)


class Runs:
    """Encoded runs in memory."""

    def __init__(self) -> None:
        self.runs: dict[str, EncodedRun] = {}

    def sound(self, segment: PlannedSegment) -> str:
        return segment.key

    def get(self, key: str) -> EncodedRun | None:
        found = self.runs.get(key)
        return found and EncodedRun.of(found.arrays())

    def put(self, key: str, run: EncodedRun) -> None:
        self.runs[key] = run


def test_files_of_known_runs_are_judged_without_their_samples(tmp_path: Path) -> None:
    found, heard = spans([Utterance(0, "Words.", sentence(1))], RATE_HZ)
    samples = {"key": found}
    planned = PlannedSegment(0, "key", 0, (PlannedLine(0, 1, "A", "Words."),), ("A",), 2)
    runs = Runs()

    def made() -> Stitched:
        return stitch(
            [(planned, SegmentAudio(RATE_HZ, len(found), heard))],
            lambda segment: samples[segment.key],
            out=tmp_path / "out.m4b",
            file_format="m4b",
            sample_rate_hz=RATE_HZ,
            words_per_s=2.5,
            control=Watch(),
            preset="broadcast",
            encoded_runs=runs,
        )

    first = made()
    samples.clear()
    assert made() == first
    assert first.report is not None
    assert first.report.passed
