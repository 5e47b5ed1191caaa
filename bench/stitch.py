"""Time and memory of stitching: `python -m bench.stitch [--minutes 96]`. The last line is JSON.

Segments of a minute and a half are in a store on disk, as the diffusion stage writes them. Each figure is
from a fresh process: the time to join them in each format, and the additional peak memory of the long job
compared with one of a minute (`VmHWM`). About a minute and a half on two cores.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from pipeline.arrays import Arrays, Samples
from pipeline.engines.protocol import Uncontrolled, Utterance
from pipeline.file_formats import DEFAULT_AUDIO_FORMAT
from pipeline.planning.records import PlannedLine, PlannedSegment, SegmentAudio
from pipeline.stitching.encoders import ENCODERS
from pipeline.stitching.loudness import spans
from pipeline.stitching.mixer import stitch
from pipeline.store.artifacts import Store

RATE_HZ = 24_000
SEGMENT_S = 90
SPEAKERS = ("Ann", "Bob", "Cem", "Dee")
WORDS = "The tide had gone out further than anybody could remember, and the boats lay on their sides."


def sentence(seed: int) -> Samples:
    """Five seconds as hard to encode as speech: pulses and noise under a moving envelope."""
    noise = np.random.default_rng(seed)
    time_s = np.arange(round(RATE_HZ * noise.uniform(4, 6))) / RATE_HZ
    pitch_hz = noise.uniform(100, 220)
    harmonics = np.arange(1, 12)[:, None]
    buzz = (np.sin(2 * np.pi * pitch_hz * harmonics * time_s + harmonics) / harmonics**1.2).sum(axis=0)
    breath = 0.02 * noise.standard_normal(len(time_s))
    syllables = np.abs(np.sin(2 * np.pi * 2.2 * time_s)) * np.hanning(len(time_s)) ** 0.2
    return np.asarray(0.08 * (buzz + breath) * syllables, np.float32)


def name(key: str) -> str:
    return f"segments/{key}"


def prepare(store: Store, minutes: float) -> list[tuple[PlannedSegment, SegmentAudio]]:
    """Store segments for that much audio, from a few repeated sentences."""
    made = [sentence(seed) for seed in range(12)]
    parts: list[tuple[PlannedSegment, SegmentAudio]] = []
    turn, left = 0, minutes * 60 * RATE_HZ
    while left > 0:
        heard: list[Utterance] = []
        lines: list[PlannedLine] = []
        while sum(len(u.samples) for u in heard) < min(left, SEGMENT_S * RATE_HZ):
            speaker = SPEAKERS[turn % len(SPEAKERS)]
            heard.append(Utterance(len(lines), WORDS, made[turn % len(made)]))
            lines.append(PlannedLine(turn, turn + 1, speaker, WORDS))
            turn += 1
        samples, found = spans(heard, RATE_HZ)
        key = hashlib.sha256(str(len(parts)).encode()).hexdigest()
        planned = PlannedSegment(len(parts), key, 0, tuple(lines), SPEAKERS, 17 * len(lines))
        store.put_arrays(name(key), Arrays({"samples": samples}))
        parts.append((planned, SegmentAudio(RATE_HZ, len(samples), found)))
        left -= len(samples)
    return parts


def join(folder: str, minutes: float, file_format: str) -> dict[str, float]:
    """Prepare and join in this process."""
    store = Store(folder)
    parts = prepare(store, minutes)

    def read(planned: PlannedSegment) -> Samples:
        samples: Samples = (
            store.need_arrays(name(planned.key)).arrays["samples"].astype(np.float32, copy=False)
        )
        return samples

    out = Path(folder, f"out.{file_format}")
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    before = time.process_time()
    start = time.perf_counter()
    result = stitch(
        parts,
        read,
        out=out,
        file_format=file_format,
        sample_rate_hz=RATE_HZ,
        words_per_s=2.5,
        control=Uncontrolled(),
    )
    wall_s = time.perf_counter() - start
    out.unlink()
    return {
        "audio_s": result.duration_s,
        "bytes": result.bytes,
        "wall_s": wall_s,
        "cpu_s": time.process_time() - before,
        "peak_bytes": peak_bytes(),
    }


def peak_bytes() -> int:
    """Peak memory of this process (`VmHWM`)."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.partition("VmHWM:")[2].split()[0])


def in_a_fresh_process(minutes: float, file_format: str) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "bench.stitch", "--join", folder]
        command += ["--minutes", str(minutes), "--format", file_format]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=96)
    parser.add_argument("--format", default=DEFAULT_AUDIO_FORMAT, choices=ENCODERS)
    parser.add_argument("--join", metavar="FOLDER", help="join once, in this process")
    given = parser.parse_args()
    if given.join:
        print(json.dumps(join(given.join, given.minutes, given.format)))
        return
    figures: dict[str, float] = {}
    growth = []
    for file_format in ENCODERS:
        long, short = (in_a_fresh_process(minutes, file_format) for minutes in (given.minutes, 1))
        growth.append(long["peak_bytes"] - short["peak_bytes"])
        figures |= {
            f"{file_format}_wall_s": round(long["wall_s"], 3),
            f"{file_format}_cpu_s": round(long["cpu_s"], 3),
            f"{file_format}_bytes": long["bytes"],
            f"{file_format}_rss_growth_bytes": growth[-1],
        }
        if file_format == given.format:
            figures |= {"audio_s": round(long["audio_s"], 1), "wall_s": round(long["wall_s"], 3)}
    print(json.dumps({**figures, "rss_growth_bytes": max(growth)}))


if __name__ == "__main__":
    main()
