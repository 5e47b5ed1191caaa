"""Loudness presets on real speech, measured by FFmpeg beside the report."""

import io
import re
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

from pipeline.jobs.jobs import Jobs
from pipeline.planning.request import LOUDNESS
from pipeline.script.parser import parse
from pipeline.stitching.presets import PRESETS
from pipeline.store.artifacts import Store
from tests.books.rendering import made
from tests.tools import tool

SCRIPT = """# The tide

Anna: The tide had gone out further than anybody could remember, and the boats lay on their sides.
Bob: I have not seen it like this in forty years! Not once, and I have been here every single morning.
Anna: Then we had better walk out to the wreck while there is time. Bring the rope, and the long pole.

# The wreck

Bob: Careful. The sand is soft here, softer than it looks, and the water comes back quickly.
Anna: There is something under the keel, a box perhaps, or a chest. Hold the lamp a little lower.
"""


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> Jobs:
    return Jobs(Store(str(tmp_path_factory.mktemp("store"))))


def rendered(jobs: Jobs, preset: str, file_format: str) -> tuple[dict[str, Any], bytes]:
    return made(jobs, parse(SCRIPT), loudness=preset, format=file_format)


def ffmpeg(path: Path, filters: str) -> str:
    command = [tool("ffmpeg"), "-nostats", "-i", str(path), "-map", "0:a", "-af", filters, "-f", "null", "-"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stderr


def last(pattern: str, text: str) -> float:
    return float(re.findall(pattern, text)[-1])


def measured(path: Path) -> dict[str, float]:
    """Levels of a file by FFmpeg's `ebur128` and `astats`, and its silent ends by `silencedetect`."""
    levels = ffmpeg(path, "ebur128=peak=true,astats=metadata=0")
    silences = ffmpeg(path, "silencedetect=noise=-45dB:duration=0.4")
    starts = [float(found) for found in re.findall(r"silence_start: ([\d.-]+)", silences)]
    ends = [float(found) for found in re.findall(r"silence_end: ([\d.]+)", silences)]
    return {
        "lufs": last(r"I:\s+(-[\d.]+) LUFS", levels),
        "true_peak_dbtp": last(r"Peak:\s+(-?[\d.]+) dBFS", levels),
        "rms_dbfs": last(r"RMS level dB: (-[\d.]+)", levels),
        "peak_dbfs": last(r"Peak level dB: (-[\d.]+)", levels),
        "head_s": ends[0] if starts[0] < 0.01 else 0.0,
        "tail_s": ends[-1] - starts[-1],
    }


def values(manifest: dict[str, Any]) -> dict[str, float]:
    return {each["name"]: each["value"] for each in manifest["loudness_report"]["measurements"]}


def test_request_names_every_preset() -> None:
    assert set(LOUDNESS) == PRESETS.keys()


@pytest.mark.parametrize(
    ("preset", "lufs", "tolerance"), [("podcast", -19.0, 0.5), ("broadcast", -23.0, 0.5)]
)
@pytest.mark.parametrize("file_format", ["flac", "m4b"])
def test_loudness_is_that_of_the_preset(
    jobs: Jobs, tmp_path: Path, preset: str, lufs: float, tolerance: float, file_format: str
) -> None:
    manifest, data = rendered(jobs, preset, file_format)
    path = tmp_path / f"out.{file_format}"
    path.write_bytes(data)
    heard, reported = measured(path), values(manifest)
    assert manifest["loudness_report"]["passed"]
    assert heard["lufs"] == pytest.approx(lufs, abs=tolerance)
    assert heard["lufs"] == pytest.approx(reported["lufs"], abs=0.2)
    assert heard["true_peak_dbtp"] <= -1.0
    if file_format == "flac":
        assert heard["true_peak_dbtp"] <= reported["true_peak_dbtp"] + 0.1


def test_every_file_of_an_audiobook_meets_the_requirements(jobs: Jobs, tmp_path: Path) -> None:
    manifest, data = rendered(jobs, "audiobook", "mp3.zip")
    report = manifest["loudness_report"]
    assert report["passed"], [each for each in report["measurements"] if not each["passed"]]
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = [name for name in archive.namelist() if name.endswith(".mp3")]
        archive.extractall(tmp_path)
    assert len(names) == 2
    for name in names:
        heard = measured(tmp_path / name)
        assert -23 <= heard["rms_dbfs"] <= -18
        assert heard["peak_dbfs"] <= -3
        assert 0.5 <= heard["head_s"] <= 1.2
        assert 1 <= heard["tail_s"] <= 5


def test_reports_agree_with_ffmpeg(jobs: Jobs, tmp_path: Path) -> None:
    manifest, data = rendered(jobs, "audiobook", "flac")
    (tmp_path / "out.flac").write_bytes(data)
    heard, reported = measured(tmp_path / "out.flac"), values(manifest)
    assert reported["rms_dbfs"] == pytest.approx(heard["rms_dbfs"], abs=0.05)
    assert reported["peak_dbfs"] == pytest.approx(heard["peak_dbfs"], abs=0.05)
    assert reported["head_s"] == pytest.approx(0.75, abs=0.01)
    assert reported["tail_s"] == pytest.approx(2.0, abs=0.01)


def test_files_without_a_preset_have_no_report(jobs: Jobs) -> None:
    manifest, _ = made(jobs, parse(SCRIPT), format="flac")
    assert manifest["loudness_report"] is None
