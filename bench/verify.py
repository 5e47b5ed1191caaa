"""Faults that verification catches, and sound takes that it re-rolls. The last line is JSON.

    python -m bench.verify [--mode light] [--segments 20] [--sound 200] [--script FILE] [--tuning]

Each kind of fault is put into that many segments of about a hundred words; a fault counts as caught if the
take fails and the next take of the same segment is chosen instead. Sound takes that fail are false alarms;
the next takes count among them.
The thresholds were fixed with `--tuning`. The figures have other texts (`harness.registers` in place of
`harness.prose`, which share no sentence), other voices and other seeds. `light` is measured on the faults
that it claims to see. About a quarter of an hour on one core with `full`.
"""

import argparse
import json
import random
import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import count, islice
from pathlib import Path

import bench.harness.threads  # noqa: F401 - before numpy

# isort: split
import numpy as np

from bench.harness import prose, registers, takes
from pipeline.checking import light
from pipeline.checking.full.checker import FullChecker
from pipeline.checking.records import Checked
from pipeline.engines.protocol import Utterance
from pipeline.engines.vibevoice.engine import PROFILE as VIBEVOICE
from pipeline.script.parser import parse

_WORDS = 100
_CASTS = {
    True: (
        ("wren", "heron", "finch", "crane"),
        ("low", "small", "crane", "high"),
        ("small", "large", "wren", "quick"),
        ("heron", "high", "low", "finch"),
    ),
    False: (("wren+2", "heron+3", "finch+2", "crane+3"), ("crane+2", "finch+3", "heron+2", "wren+3")),
}
"""Casts of the tuning set and of the figures."""
_SEEDS = {True: 1_000_000, False: 3_000_000}
_TURNS_OF_FIVE_MINUTES = 60
_BENCHMARKS = Path(__file__).parent.parent / "docs" / "benchmarks.md"


@dataclass
class Tally:
    """Results of one process."""

    injected: Counter[str] = field(default_factory=Counter)
    caught: Counter[str] = field(default_factory=Counter)
    sound: int = 0
    rerolled: int = 0
    cpu_s: float = 0.0
    audio_s: float = 0.0
    reasons: Counter[str] = field(default_factory=Counter)

    def add(self, other: "Tally") -> None:
        self.injected += other.injected
        self.caught += other.caught
        self.sound += other.sound
        self.rerolled += other.rerolled
        self.cpu_s += other.cpu_s
        self.audio_s += other.audio_s
        self.reasons += other.reasons


@dataclass(frozen=True)
class Task:
    """One segment, with a fault or without."""

    number: int
    fault: str | None
    turns: Sequence[tuple[int, str]]
    mode: str
    tuning: bool
    separate: bool
    shown: bool


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mode", choices=("light", "full"), default="full")
    parser.add_argument("--segments", type=int, default=20, help="segments of each kind of fault")
    parser.add_argument("--sound", type=int, default=200, help="sound takes, including next takes")
    parser.add_argument("--script", type=Path, help="text of the segments, in place of generated ones")
    parser.add_argument("--tuning", action="store_true", help="the set that the thresholds are fixed on")
    parser.add_argument("--separate", action="store_true", help="spans per sentence, as hibari has")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--results", type=Path, help="file of finished segments, from which a run goes on")
    parser.add_argument("--show", action="store_true", help="print each miss and each false alarm")
    given = parser.parse_args()
    tasks = list(_tasks(given))
    total = Tally()
    began = time.monotonic()
    results = Results(given.results)
    left = [task for task in tasks if task.number not in results.done]
    for tally in results.done.values():
        total.add(tally)
    with ProcessPoolExecutor(given.processes) as pool:
        for done, (task, tally) in enumerate(zip(left, pool.map(_run, left), strict=True), 1):
            total.add(tally)
            results.append(task.number, tally)
            if done % 40 == 0:
                print(json.dumps(_figures(total, given.mode, time.monotonic() - began)), flush=True)
    print(json.dumps(_figures(total, given.mode, time.monotonic() - began)))


class Results:
    """Tallies of finished segments by number, in a file if one is given."""

    def __init__(self, file: Path | None) -> None:
        self.file = file
        self.done: dict[int, Tally] = {}
        for line in file.read_text().splitlines() if file and file.exists() else ():
            number, fields = json.loads(line)
            counted = {name: Counter(fields[name]) for name in ("injected", "caught", "reasons")}
            self.done[number] = Tally(**{**fields, **counted})

    def append(self, number: int, tally: Tally) -> None:
        if self.file:
            with self.file.open("a") as results:
                results.write(json.dumps([number, vars(tally)]) + "\n")


def _tasks(given: argparse.Namespace) -> Iterator[Task]:
    faults = takes.LIGHT_FAULTS if given.mode == "light" else tuple(takes.FAULTS)
    kinds: list[str | None] = [fault for _ in range(given.segments) for fault in faults]
    kinds += [None] * max(0, given.sound - len(kinds))
    texts = _written(given.script) if given.script else _generated(given.tuning)
    for number, (fault, turns) in enumerate(zip(kinds, texts, strict=False)):
        yield Task(number, fault, turns, given.mode, given.tuning, given.separate, given.show)


def _generated(tuning: bool) -> Iterator[list[tuple[int, str]]]:
    """Segments of generated conversations, of which each has at least two speakers."""
    for seed in count(_SEEDS[tuning]):
        turns = prose.turns(seed, 4) if tuning else registers.turns(seed)
        yield from _packed(islice(turns, _TURNS_OF_FIVE_MINUTES))


def _written(script: Path) -> Iterator[list[tuple[int, str]]]:
    """Segments of a script, again and again from another turn on."""
    turns = parse(script.read_text()).turns
    names = list(dict.fromkeys(turn.speaker for turn in turns))
    numbered = [(names.index(turn.speaker) % 4, turn.text) for turn in turns]
    start = 0
    while True:
        yield from _packed(iter(numbered[start:]))
        start += 1


def _packed(turns: Iterator[tuple[int, str]]) -> Iterator[list[tuple[int, str]]]:
    segment: list[tuple[int, str]] = []
    for turn in turns:
        segment.append(turn)
        speakers = {number for number, _ in segment}
        if len(speakers) > 1 and sum(len(text.split()) for _, text in segment) >= _WORDS:
            yield segment
            segment = []


def _run(task: Task) -> Tally:
    """Check one take, and the next one if it fails."""
    trial = Trial(task)
    trial.run()
    return trial.tally


class Trial:
    """Checks of the takes of one segment, counted in a tally."""

    def __init__(self, task: Task) -> None:
        self.task, self.tally = task, Tally()
        self.chance = np.random.default_rng([_SEEDS[task.tuning], task.number])
        cast = random.Random(task.number).choice(_CASTS[task.tuning])
        self.conversation = takes.conversation(task.number, task.turns, cast)
        self.check = light.check if task.mode == "light" else FullChecker().check

    def run(self) -> None:
        """Check a sound take, or one with the fault and then a sound one."""
        fault, first = self.task.fault, self._spoken()
        if fault is None:
            self._check_sound(first)
            return
        bad = self._measured(takes.FAULTS[fault](self.conversation, first, self.chance))
        second = self._check_sound(self._spoken())
        caught = bad.fails and (not second.fails or second.score > bad.score)
        self.tally.injected[fault] = 1
        self.tally.caught[fault] = int(caught)
        if not caught:
            self._note("missed", bad)

    def _spoken(self) -> Sequence[Utterance]:
        return takes.spoken(self.conversation, int(self.chance.integers(1 << 30)))

    def _check_sound(self, utterances: Sequence[Utterance]) -> Checked:
        """Check a take without a fault."""
        verdict = self._measured(utterances)
        self.tally.sound += 1
        if verdict.fails:
            self.tally.rerolled += 1
            self._note("false", verdict)
        return verdict

    def _measured(self, utterances: Sequence[Utterance]) -> Checked:
        material = takes.material(self.conversation, utterances, separate=self.task.separate)
        began_s = time.process_time()
        verdict = self.check(material)
        self.tally.cpu_s += time.process_time() - began_s
        self.tally.audio_s += len(material.samples) / takes.RATE_HZ
        return verdict

    def _note(self, problem: str, verdict: Checked) -> None:
        task = self.task
        kinds = sorted({finding.kind for finding in verdict.findings if finding.fails})
        self.tally.reasons[f"{problem}: {task.fault or 'sound'}: {', '.join(kinds)}"] += 1
        if task.shown:
            print(
                problem, task.number, task.fault, verdict.score, verdict.facts, verdict.findings, flush=True
            )


def _figures(total: Tally, mode: str, wall_s: float) -> dict[str, object]:
    caught_by_kind = {kind: f"{total.caught[kind]}/{n}" for kind, n in total.injected.items()}
    return {
        "mode": mode,
        "injected": total.injected.total(),
        "caught": total.caught.total(),
        "caught_by_kind": caught_by_kind,
        "sound": total.sound,
        "rerolled": total.rerolled,
        "false_share": round(total.rerolled / total.sound, 4) if total.sound else None,
        "cpu_s_per_audio_min": round(60 * total.cpu_s / total.audio_s, 2) if total.audio_s else None,
        "share_of_vibevoice_job": vibevoice_shares(60 * total.cpu_s / total.audio_s) if total.audio_s else {},
        "audio_min": round(total.audio_s / 60, 1),
        "wall_s": round(wall_s, 1),
        "reasons": dict(total.reasons),
    }


def vibevoice_shares(cpu_s_per_audio_min: float, page: Path = _BENCHMARKS) -> dict[str, float]:
    """Share of verification in a job's time with VibeVoice at its published rates, by machine and batch.

    The time of a job is that of decoding and that of the core that verifies, as if one came after the other.

    Args:
        cpu_s_per_audio_min: cost of verification.
        page: has tables of frames per second with the columns machine, precision, batch and ours.
    """
    frames = 60 * VIBEVOICE.frame_rate_hz
    shares: dict[str, float] = {}
    for line in page.read_text().splitlines():
        row = re.match(r"\| (\w+) \| (?:bfloat16|float32) \| (\d+) \| ([\d,.]+)", line)
        if row:
            decode_s = frames / float(row[3].rstrip(",").replace(",", ""))
            share = cpu_s_per_audio_min / (cpu_s_per_audio_min + decode_s)
            shares.setdefault(f"{row[1]}, batch {row[2]}", round(share, 3))
    return shares


if __name__ == "__main__":
    main()
