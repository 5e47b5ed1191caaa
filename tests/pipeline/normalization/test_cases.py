from collections import Counter

from pipeline.normalization.normalizer import normalized
from tests.pipeline.normalization.cases import CASES, RIGHT_MIN, cases, words

KINDS = {
    **{
        "number": 16,
        "ordinal": 8,
        "date": 18,
        "time": 12,
        "currency": 16,
        "unit": 18,
        "fraction": 8,
        "range": 8,
    },
    **{"phone": 8, "roman": 13, "abbreviation": 18, "initialism": 14, "e-mail": 6, "url": 8, "hashtag": 6},
    **{"emoji": 7, "symbol": 16},
}


def test_the_table_has_200_cases_of_every_kind() -> None:
    assert len(cases()) == len({case.written for case in cases()}) == CASES
    assert Counter(case.kind for case in cases()) == KINDS


def test_at_least_190_of_200_texts_are_read_as_a_person_reads_them() -> None:
    missed = []
    for case in cases():
        spoken = words(normalized(case.text))
        if spoken not in [words(reading) for reading in case.readings]:
            missed.append(f"{case.written!r} is read as {' '.join(spoken)!r}, not {case.readings[0]!r}")
    print(*missed, f"{CASES - len(missed)} of {CASES} right", sep="\n")
    assert len(missed) <= CASES - RIGHT_MIN, "\n".join(missed)
