"""Tests of the difference between the turns of two scripts."""

import random
import time

import pytest

from pipeline.views.turn_difference import Change, changes


def patched(a: list[str], b: list[str], found: list[Change]) -> list[str]:
    """The first script with the changes made to it."""
    made: list[str] = []
    at = 0
    for change in found:
        made += a[at : change.start_a] + b[change.start_b : change.end_b]
        at = change.end_a
    return made + a[at:]


@pytest.mark.parametrize("seed", range(40))
def test_the_changes_turn_one_script_into_the_other(seed: int) -> None:
    source = random.Random(seed)
    a = [source.choice("abcdefghij") * source.randint(1, 3) for _ in range(source.randint(0, 60))]
    b = [turn for turn in a if source.random() > 0.2]
    for _ in range(source.randint(0, 9)):
        b.insert(source.randint(0, len(b)), source.choice("abcxyz"))
    found = changes(a, b)
    assert patched(a, b, found) == b
    assert [each for each in found if a[each.start_a : each.end_a] == b[each.start_b : each.end_b]] == []


def test_an_edited_turn_is_the_only_change() -> None:
    a = [f"turn {number}" for number in range(5000)]
    b = [*a[:3000], "another", *a[3001:]]
    assert changes(a, b) == [Change(3000, 3001, 3000, 3001)]


def test_an_edit_between_repeated_turns_is_found() -> None:
    assert changes(["yes", "no", "yes"], ["yes", "never", "yes"]) == [Change(1, 2, 1, 2)]


def test_a_moved_turn_leaves_the_others_unchanged() -> None:
    a = [f"turn {number}" for number in range(50)]
    b = [*a[1:40], a[0], *a[40:]]
    assert sum(each.end_a - each.start_a for each in changes(a, b)) == 1


def test_time_is_bounded_for_scripts_of_repeated_turns() -> None:
    source = random.Random(3)
    a, b = ([str(source.randint(0, 90)) for _ in range(20_000)] for _ in range(2))
    began = time.thread_time()
    found = changes(a, b)
    assert time.thread_time() - began < 5
    assert patched(a, b, found) == b
