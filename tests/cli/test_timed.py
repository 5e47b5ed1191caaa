"""Subtitles as timed speech, through the command line and real workers; onsets are those of the samples."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.cli.conftest import Run

CUES = (
    (1.5, "Nora", "Be careful, the boat is late."),
    (5.0, "Fox", "Do not wait for it."),
    (8.25, "Nora", "Can you see the harbour?"),
    (12.6, "Fox", "Barely. Bring the other lamp."),
)
OVERLONG = (
    (
        20.0,
        "Nora",
        "Tomorrow the captain will come back and tell you what he found in the bay far out there.",
    ),
    (21.0, "Fox", "Perhaps."),
    (29.0, "Nora", "Good night."),
)
WINDOW_S = 0.005
SPEECH_DB = -42.0


def clock(at_s: float, point: str) -> str:
    minutes, seconds = divmod(at_s, 60)
    return f"00:{int(minutes):02}:{seconds:06.3f}".replace(".", point)


def subtitles(cues: tuple[tuple[float, str, str], ...], ending: str, point: str) -> str:
    speaker = "{}: " if ending == "srt" else "<v {}>"
    parts = [
        f"{clock(start_s, point)} --> {clock(start_s + 1, point)}\n{speaker.format(name)}{text}\n"
        for start_s, name, text in cues
    ]
    return "\n".join(parts if ending == "srt" else ["WEBVTT\n", *parts])


def onset_s(samples: np.ndarray, rate_hz: int, near_s: float) -> float:
    """First moment from 0.4 s before a time at which the level is that of speech, after silence."""
    width = round(WINDOW_S * rate_hz)
    begin = round((near_s - 0.4) * rate_hz)
    part = samples[begin : begin + round(1.2 * rate_hz)]
    windows = part[: len(part) // width * width].reshape(-1, width)
    level_db = 20 * np.log10(np.sqrt((windows**2).mean(axis=1)) + 1e-9)
    return near_s - 0.4 + float(np.argmax(level_db > SPEECH_DB)) * WINDOW_S


@pytest.mark.parametrize(
    ("ending", "point"), [("srt", ","), pytest.param("vtt", ".", marks=pytest.mark.slow)]
)
def test_each_cue_begins_at_its_time(served: Run, tmp_path: Path, ending: str, point: str) -> None:
    script, out = tmp_path / f"talk.{ending}", tmp_path / "spoken.wav"
    script.write_text(subtitles(CUES + OVERLONG, ending, point))
    done = served("render", script, "-o", out, "--timed", "--json")
    assert done.returncode == 0, done.stderr
    samples, rate_hz = soundfile.read(out)
    found = {
        start_s: onset_s(samples, rate_hz, start_s) for start_s, _, _ in (*CUES, OVERLONG[0], OVERLONG[2])
    }
    assert found == {start_s: pytest.approx(start_s, abs=0.05) for start_s in found}

    manifest = json.loads(done.stdout)
    cues = json.loads(out.with_suffix(".cues.json").read_text())
    assert [cue["asked_s"] for cue in cues] == [start_s for start_s, _, _ in CUES + OVERLONG]
    late = [cue for cue in cues if cue["shift_s"]]
    assert [cue["asked_s"] for cue in late] == [21.0]
    shifts = manifest["shifts"]
    assert (shifts["cues"], shifts["shifted"]) == (7, 1)
    assert shifts["total_s"] == shifts["largest_s"] == late[0]["shift_s"]
    turns = json.loads(out.with_suffix(".turns.json").read_text())
    assert len(turns) == len(cues)
    assert turns[4]["end_s"] <= turns[5]["start_s"] <= late[0]["start_s"], "the cue before it is not cut"
