import json
from dataclasses import replace

from pipeline.stitching.manifest import Artifact, manifest
from pipeline.stitching.mixer import Gap, Loudness, Stitched, TurnTime, VoiceLevel
from pipeline.stitching.subtitles import TimedWord

STITCHED = Stitched(
    duration_s=90.0,
    sample_rate_hz=24_000,
    sha256="ab" * 32,
    bytes=1000,
    turns=(TurnTime(0, 1, "Alice", 0.0, 90.0),),
    gaps=(),
    loudness=Loudness(-19.0, -3.0, (VoiceLevel("Alice", 2.0),), 0),
    srt="1\n00:00:00,000 --> 00:00:01,000\nPrivate words\n\n",
    vtt="WEBVTT\n\nPrivate words\n\n",
    words=(TimedWord("Private", 0.0, 0.4, "Alice", 0, 0.9),),
)
FILE = Artifact("jobs/j/audio.flac", "ab" * 32, 1000)


def record(stitched: Stitched, wall_s: float | None = 10.0) -> dict[str, object]:
    made = manifest(
        "j",
        stitched,
        engine="hibari",
        audio=FILE,
        file_format="flac",
        subtitles={"srt": FILE, "vtt": FILE},
        turns=FILE,
        segments=2,
        speakers=("Alice",),
        wall_s=wall_s,
    )
    return made.record()


def test_manifests_are_plain_json_without_script_text() -> None:
    text = json.dumps(record(STITCHED))
    assert "Private" not in text
    assert json.loads(text) == json.loads(json.dumps(record(STITCHED)))
    assert json.loads(text)["audio"] == {"name": "jobs/j/audio.flac", "sha256": "ab" * 32, "bytes": 1000}


def test_speed_is_audio_over_wall_time_or_none() -> None:
    assert record(STITCHED)["speed"] == 9.0
    assert record(STITCHED, wall_s=None)["speed"] is None


def test_manifests_report_gaps() -> None:
    assert record(STITCHED)["state"] == "done"
    gap = record(replace(STITCHED, gaps=(Gap(1, 12, 3.0, 5.0),)))
    assert gap["state"] == "gaps"
    assert gap["gaps"] == ({"segment": 1, "source_line": 12, "start_s": 3.0, "end_s": 5.0},)
