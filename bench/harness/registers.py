"""Texts in seven registers, from letters to banter, which share no pattern with those of `prose`."""

import random
from collections.abc import Iterator
from functools import cache
from pathlib import Path

_FILE = Path(__file__).with_name("registers.txt")
_NAMES = ("Beatrice", "Oliver", "Matilda", "Gregory", "Susanna", "Leopold", "Harriet", "Victor", "Rosalind")
_SURNAMES = ("Whitlock", "Bergmann", "Carrington", "Holloway", "Fairweather", "Pemberton", "Langley")
_PLACES = ("Edinburgh", "Winterbourne", "Salzburg", "Melbourne", "Ashford", "Copenhagen", "Bristol")
_MONTHS = ("February", "April", "June", "August", "October", "December")

Passage = tuple[tuple[int, str], ...]
"""Turns that belong together: speakers' numbers, from 0 to 3, and words with slots."""


def turns(seed: int) -> Iterator[tuple[int, str]]:
    """Yield turns without end: the speaker's number and what is said. Registers take turns, too."""
    chance = random.Random(seed)
    while True:
        for passages in chance.sample(_registers(), len(_registers())):
            for passage in chance.sample(passages, len(passages)):
                slots = _slots(chance)
                yield from ((speaker, text.format(**slots)) for speaker, text in passage)


@cache
def _registers() -> tuple[tuple[Passage, ...], ...]:
    """Passages of each register."""
    found: list[list[Passage]] = []
    for block in _FILE.read_text().split("\n\n"):
        lines = [line for line in block.splitlines() if not line.startswith("#")]
        if lines and lines[0].startswith("["):
            found.append([])
        passage = tuple(
            (int(speaker), text)
            for speaker, separator, text in (line.partition(": ") for line in lines)
            if separator
        )
        if passage:
            found[-1].append(passage)
    return tuple(tuple(passages) for passages in found)


def _slots(chance: random.Random) -> dict[str, str]:
    """Names and numbers that fill a passage."""
    year = chance.randrange(1890, 1990)
    return {
        "name": chance.choice(_NAMES),
        "surname": chance.choice(_SURNAMES),
        "place": chance.choice(_PLACES),
        "month": chance.choice(_MONTHS),
        "date": f"{chance.choice(_MONTHS)} {chance.randint(2, 28)}",
        "time": f"{chance.randint(2, 11)}:{chance.choice((15, 20, 30, 45))}",
        "year": str(year),
        "year2": str(year + chance.randrange(12, 30)),
        "count": str(chance.randrange(21, 980)),
        "count2": str(chance.randrange(21, 300)),
        "small": chance.choice(("two", "three", "four", "six", "seven")),
        "small2": chance.choice(("thirteen", "sixteen", "eighteen", "twenty-two", "thirty-five")),
        "percent": f"{chance.randrange(2, 60)}" + chance.choice(("", ".5", ".8")),
        "money": chance.choice(("£{}", "${}", "{} euros")).format(
            chance.choice((8, 45, 120, 250, 900, 1500))
        ),
        "digits": str(chance.randrange(1201, 9899)),
    }
