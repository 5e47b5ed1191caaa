"""A recogniser that listens to renders: Whisper tiny.en from a wheel, run by faster-whisper on one thread."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import soxr

from pipeline.arrays import Samples
from pipeline.checking.full.recognizer import SAMPLE_RATE_HZ, RecognizerSettings, recognizer


@dataclass(frozen=True, slots=True)
class Comparison:
    """Difference between what was to be said and what was heard, in words of Whisper's English normaliser."""

    words: int
    """Number of words that were to be said."""
    replaced: tuple[tuple[str, str], ...]
    """Words heard as others: written and heard, as many or few as they are."""
    missed: tuple[str, ...]
    added: tuple[str, ...]
    errors: int
    """Edit distance in words."""

    @property
    def error_rate(self) -> float:
        return self.errors / self.words


def transcribe(samples: Samples, sample_rate_hz: int) -> str:
    """Write down English speech.

    Args:
        samples: (n,), mono.
    """
    speech = soxr.resample(samples, sample_rate_hz, SAMPLE_RATE_HZ)
    segments, _ = recognizer(RecognizerSettings()).model.transcribe(
        speech, language="en", beam_size=5, temperature=0.0, condition_on_previous_text=False
    )
    return " ".join(segment.text.strip() for segment in segments)


def compare(said: str, heard: str) -> Comparison:
    """Align two texts after normalisation; spaces do not count, so that `some one` is `someone`."""
    from rapidfuzz.distance import Levenshtein

    first, second = normal_words(said), normal_words(heard)
    replaced: list[tuple[str, str]] = []
    missed: list[str] = []
    added: list[str] = []
    errors = 0
    for left, right in _differences(first, second):
        if "".join(left) == "".join(right):
            continue
        errors += Levenshtein.distance(left, right)
        if left and right:
            replaced.append((" ".join(left), " ".join(right)))
        missed += left if not right else []
        added += right if not left else []
    return Comparison(len(first), tuple(replaced), tuple(missed), tuple(added), errors)


def normal_words(text: str) -> list[str]:
    """Words after normalisation: lower case, numbers in digits, contractions in full, no punctuation."""
    normalised: str = _normalizer()(text)
    return normalised.split()


def _differences(first: Sequence[str], second: Sequence[str]) -> Iterable[tuple[list[str], list[str]]]:
    """Stretches that differ, each as long as no word agrees."""
    from rapidfuzz.distance import Levenshtein

    left: list[str] = []
    right: list[str] = []
    for step in Levenshtein.opcodes(first, second):
        if step.tag == "equal":
            yield left, right
            left, right = [], []
        else:
            left += first[step.src_start : step.src_end]
            right += second[step.dest_start : step.dest_end]
    yield left, right


@cache
def _normalizer() -> Any:
    from whisper_normalizer.english import EnglishTextNormalizer

    return EnglishTextNormalizer()
