"""The table of readings as the voice speaks it: by its phonemes, which the front end makes."""

import re

from hibari.g2p import G2P

from pipeline.engines.hibari.normalizer import FRONT_END, wording
from pipeline.normalization.normalizer import RULES
from tests.pipeline.normalization.cases import CASES, RIGHT_MIN, cases

_LETTERS = re.compile(r"(?<![\w'])[a-z](?: [a-z])+(?![\w'])")
_UNSTRESSED = str.maketrans("ᵻᵊɐʊ", "əəəu")


def sound(g2p: G2P, text: str) -> str:
    """Phonemes without spaces, stress, punctuation, and without the differences between weak vowels."""
    phonemes = re.sub(r"[\W_ˈˌː]+", "", str(g2p(text))).translate(_UNSTRESSED)
    return re.sub(r"(.)\1+", r"\1", phonemes)


def spelled(reading: str) -> str:
    """A reading in which letters that are spelled are an abbreviation, so that the front end names them."""
    return _LETTERS.sub(lambda found: found[0].upper().replace(" ", ".") + ".", reading)


def test_at_least_190_of_200_texts_sound_as_a_person_reads_them() -> None:
    g2p, missed = G2P(), []
    for case in cases():
        spoken = wording(case.text).text
        if sound(g2p, spoken) not in {sound(g2p, spelled(reading)) for reading in case.readings}:
            missed.append(f"{case.written!r} is spoken as {spoken!r}: {g2p(spoken)}")
    print(*missed, f"{CASES - len(missed)} of {CASES} right", sep="\n")
    assert len(missed) <= CASES - RIGHT_MIN, "\n".join(missed)


def test_the_rules_that_are_left_to_the_front_end_exist() -> None:
    assert set(FRONT_END) <= {rule.name for rule in RULES}
