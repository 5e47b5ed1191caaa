"""Scripts in every dialect, from the same turns: speakers, turns and words come back."""

import random

import pytest

from bench.harness.dialects import DIALECTS, NAMES, ODD_NAMES, Turns, random_turns
from pipeline.script.names import identity
from pipeline.script.parser import read
from pipeline.script.plain import plain_letters

CASES = [
    (name, odd, seed)
    for name, dialect in DIALECTS.items()
    for odd in (False, True)
    for seed in range(3)
    if dialect.odd_names or not odd
]


def expected(turns: Turns) -> list[tuple[str, str]]:
    return [(identity(name), " ".join(plain_letters(text).split())) for name, text in turns]


def test_there_are_enough_scripts() -> None:
    assert len(CASES) >= 120


@pytest.mark.parametrize(("name", "odd", "seed"), CASES)
def test_a_script_is_read_as_it_was_meant(name: str, odd: bool, seed: int) -> None:
    dialect, generator = DIALECTS[name], random.Random(f"{name} {odd} {seed}")
    names = ODD_NAMES if odd else NAMES
    turns = random_turns(generator, names, returns=dialect.returns or odd)
    text = dialect.write(turns)
    script = read(text)
    assert script.problems == (), text
    assert script.form == dialect.form
    assert [(identity(turn.speaker), turn.text) for turn in script.turns] == expected(turns), text
    assert {identity(speaker) for speaker in script.speakers} == {identity(speaker) for speaker, _ in turns}


@pytest.mark.parametrize("name", DIALECTS)
def test_a_form_that_is_named_is_read_as_the_recognised_one(name: str) -> None:
    dialect = DIALECTS[name]
    text = dialect.write(random_turns(random.Random(name), NAMES, returns=True))
    assert read(text, form=dialect.form).turns == read(text).turns
