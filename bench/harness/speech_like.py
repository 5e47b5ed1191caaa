"""Engine that speaks in sound as hard to encode as speech, for benches of everything but the words."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np

from bench.harness.silence import Silence
from bench.stitch import RATE_HZ, sentence
from pipeline.arrays import Arrays, Samples
from pipeline.engines.protocol import Control, Options, Utterance

WORDS_PER_S = 2.5
_SENTENCES = 12


class SpeechLike(Silence):
    """Engine of 0.4 s of pulses and noise per word."""

    profile = replace(
        Silence.profile,
        name="speech-like",
        sample_rate_hz=RATE_HZ,
        words_min=150,
        words_max=250,
        words_per_s=WORDS_PER_S,
    )

    def revision(self) -> str:
        return "speech-like 1"

    def diffusion(
        self, semantic: Arrays, speakers: Sequence[Arrays], seed: int, options: Options, control: Control
    ) -> Sequence[Utterance]:
        words = semantic.arrays["ids"].tolist()
        return [Utterance(line, "", _spoken(seed + line, count)) for line, count in enumerate(words)]


def _spoken(number: int, words: int) -> Samples:
    length = round(words / WORDS_PER_S * RATE_HZ)
    made = _made(number % _SENTENCES)
    return np.tile(made, -(-length // len(made)))[:length]


@cache
def _made(number: int) -> Samples:
    return sentence(number)
