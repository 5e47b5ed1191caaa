"""Engine that makes bad takes on purpose, and sound like speech otherwise.

A word of the script names what is wrong with takes 0, 1 and so on of its segment, for example
`faults:noise+clipped`; later takes are sound.
"""

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

import numpy as np

from bench.harness.silence import Silence
from pipeline.arrays import Arrays, Samples
from pipeline.engines.protocol import PARTS, Control, Options, SegmentText, Utterance, Wording
from pipeline.errors import EngineError
from pipeline.jobs.takes import take_seed

SETTING = "takes=tests.takes:BadTakes"
RATE_HZ = 8_000
WORD_S = 0.4
SOUND = "sound"
REFUSED_MS = 666
"""Value of the option `wait_ms` with which no take can be decoded."""


def speech(seconds: float, seed: int = 0) -> Samples:
    """Syllables of a tone with random lengths, heights and pauses."""
    rng = np.random.default_rng(seed)
    parts: list[Samples] = []
    while sum(map(len, parts)) < seconds * RATE_HZ:
        length = rng.uniform(0.08, 0.25)
        time = np.arange(round(length * RATE_HZ)) / RATE_HZ
        tone = np.sin(2 * np.pi * rng.uniform(110, 180) * time) + 0.5 * np.sin(2 * np.pi * 500 * time)
        loud = rng.uniform(0.05, 0.3) * np.sin(np.pi * time / length)
        parts += [
            (loud * tone).astype(np.float32),
            np.zeros(round(rng.uniform(0.02, 0.12) * RATE_HZ), np.float32),
        ]
    made = np.concatenate(parts)[: round(seconds * RATE_HZ)]
    made[-round(0.1 * RATE_HZ) :] = 0
    return made


def _noise(samples: Samples) -> Samples:
    """Three seconds of noise in place of speech."""
    made = samples.copy()
    middle = len(made) // 2
    rng = np.random.default_rng(1)
    made[middle : middle + 3 * RATE_HZ] = 0.1 * rng.standard_normal(3 * RATE_HZ)
    return made


def _repeated(samples: Samples) -> Samples:
    """Four seconds that are heard twice."""
    start = len(samples) // 4
    stretch = samples[start : start + 4 * RATE_HZ]
    return np.concatenate([samples[: start + len(stretch)], stretch, samples[start + len(stretch) :]])


def _silent_half(samples: Samples) -> Samples:
    made = samples.copy()
    made[len(made) // 2 :] = 0
    return made


def _cut_off(samples: Samples) -> Samples:
    """The first third, ending within a syllable."""
    third = samples[: len(samples) // 3]
    return third[: int(np.abs(third[-RATE_HZ // 2 :]).argmax()) + len(third) - RATE_HZ // 2]


FAULTS: dict[str, Callable[[Samples], Samples]] = {
    SOUND: lambda samples: samples,
    "runaway": lambda samples: np.concatenate([samples, speech(2 * len(samples) / RATE_HZ, 9)]),
    "silent": _silent_half,
    "noise": _noise,
    "clipped": lambda samples: np.clip(samples * 8, -0.9, 0.9),
    "cut": _cut_off,
    "repeated": _repeated,
    "quiet": lambda samples: samples * np.float32(1e-4),
    "offset": lambda samples: samples + np.float32(0.1),
}


class BadTakes(Silence):
    """Engine of syllables; a word of each segment names the faults of its takes."""

    profile = replace(
        Silence.profile,
        name="takes",
        words_min=20,
        words_max=40,
        words_per_s=1 / WORD_S,
        takes=({}, {"wait_ms": 1}),
        take_options=("wait_ms", PARTS),
    )

    def revision(self) -> str:
        return "takes 1"

    def wording(self, text: str, kinds: Collection[str] = ()) -> Wording:
        return Wording(text)

    def pronounced(self, written: str, ipa: str) -> None:
        return None

    def text(self, segment: SegmentText, options: Options) -> Arrays:
        words = " ".join(line.text for line in segment.lines)
        found = re.search(r"faults:([a-z_+]+)", words)
        counts = np.array([len(line.text.split()) for line in segment.lines], np.int32)
        return Arrays({"ids": counts}, {"faults": found[1] if found else "", "seed": str(segment.seed)})

    def semantic(self, tokens: Arrays, options: Options) -> Arrays:
        frames = round(int(tokens.arrays["ids"].sum()) * WORD_S * self.profile.frame_rate_hz)
        return Arrays(
            dict(tokens.arrays), {**tokens.meta, "frames": str(frames), "frames_max": str(2 * frames)}
        )

    def diffusion(
        self, semantic: Arrays, speakers: Sequence[Arrays], seed: int, options: Options, control: Control
    ) -> Sequence[Utterance]:
        control.check()
        faults, first = semantic.meta["faults"].split("+"), int(semantic.meta["seed"])
        take = next((n for n in range(200) if seed == (take_seed(first, n) if n else first)), 0)
        fault = faults[take] if take < len(faults) and faults[0] else SOUND
        if fault == "refused" or options["wait_ms"] == REFUSED_MS:
            raise EngineError("this take cannot be decoded")
        counts = semantic.arrays["ids"].tolist()
        made = FAULTS[fault](speech(sum(counts) * WORD_S, seed % 2**32))
        return [Utterance(0, "", made, len(counts))]
