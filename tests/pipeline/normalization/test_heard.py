"""Numbers of the table as a recogniser hears them."""

import re

import pytest

from bench.harness import recordings
from pipeline.checking.full.normalizer import canonical, canonical_words
from pipeline.checking.full.recognizer import SAMPLE_RATE_HZ, RecognizerSettings, recognizer
from pipeline.engines.hibari.engine import Hibari
from pipeline.normalization.rules import KINDS
from tests.pipeline.normalization.cases import Case, cases

pytestmark = pytest.mark.listen

CHOSEN = {
    "number": 6,
    "ordinal": 3,
    "date": 5,
    "time": 4,
    "currency": 4,
    "unit": 4,
    "fraction": 2,
    "range": 2,
}
"""First texts with a digit of each kind, 30 in all."""
LIKENESS_MIN = 0.8
"""Least likeness of the other words: the recogniser is a small one."""
_THOUSANDS = re.compile(r"\s+(?=,\d{3})")


def chosen() -> list[Case]:
    return [
        case
        for kind, count in CHOSEN.items()
        for case in [each for each in cases() if each.kind == kind and re.search(r"\d", each.written)][:count]
    ]


def digits(text: str) -> str:
    """Digits of a text in canonical form, in which a recogniser's figures and our words are the same."""
    return re.sub(r"\D", "", "".join(canonical_words(text, "en")))


def heard(text: str) -> str:
    spoken = Hibari().wording(text, KINDS).text
    samples = recordings.speech(spoken, "wren", sample_rate_hz=SAMPLE_RATE_HZ)
    words = recognizer(RecognizerSettings()).listen(samples, "en", beam=5)
    return _THOUSANDS.sub("", " ".join(word.text for word in words))


def test_the_recogniser_hears_the_numbers_of_30_spoken_texts_right() -> None:
    from rapidfuzz import fuzz

    missed = []
    for case in chosen():
        found = heard(case.text)
        same = [reading for reading in case.readings if digits(reading) == digits(found)]
        likeness = max(
            (fuzz.ratio(canonical(each, "en"), canonical(found, "en")) / 100 for each in same), default=0.0
        )
        if likeness < LIKENESS_MIN:
            missed.append(f"{case.written!r} is heard as {found!r} ({likeness:.2f})")
    print(*missed, f"{len(chosen()) - len(missed)} of {len(chosen())} heard right", sep="\n")
    assert len(chosen()) == 30
    assert not missed
