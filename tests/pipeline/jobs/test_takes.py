"""Tests of the choice among takes, and of their records in a store."""

from dataclasses import replace

from db.schema import TAKES_BY_HAND
from pipeline.checking.records import Checked, Finding
from pipeline.jobs.artifacts import Choice
from pipeline.jobs.takes import BY_VERIFY, HAND_FROM, TakeRequest, Takes, choose, take_seed
from tests.takes import BadTakes

PROFILE = BadTakes.profile


def bad(score: float, deviation: str = "") -> Checked:
    return Checked((Finding("noise", None, 0.0, 2.5, 1.1, 3.0, True),), score, deviation)


def test_a_take_that_passes_is_used_at_once() -> None:
    assert choose([Checked()], 3) == Choice(0, "passed")
    assert choose([bad(0.9), Checked((), 0.8)], 3) == Choice(1, "passed")


def test_the_best_of_bad_takes_is_used_after_the_last_one() -> None:
    assert choose([bad(0.2), bad(0.5)], 3) is None
    assert choose([bad(0.2), bad(0.5), bad(0.4)], 3) == Choice(1, "takes_max")
    assert choose([bad(0.5), bad(0.5), bad(0.5)], 3) == Choice(0, "takes_max")
    assert choose([bad(0.2)], 1) == Choice(0, "only")


def test_no_further_take_is_made_once_a_deviation_repeats() -> None:
    assert choose([bad(0.2, "a"), bad(0.3, "b")], 5) is None
    assert choose([bad(0.2, "a"), bad(0.3, "a")], 5) == Choice(1, "repeated")
    assert choose([bad(0.2), bad(0.3)], 5) is None, "an empty deviation never repeats"


def test_takes_follow_each_other_until_one_passes(takes: Takes) -> None:
    assert takes.next_take(PROFILE) == 0
    takes.record(0, bad(0.5, "a"))
    assert (takes.next_take(PROFILE), takes.choice()) == (1, None)
    takes.record(1, Checked())
    assert takes.next_take(PROFILE) == 1, "it is chosen, and its audio is missing"
    choice = takes.choice()
    assert choice is not None
    assert (choice.take, choice.reason, choice.takes) == (1, "passed", 2)
    assert [take for take, _ in choice.findings] == [0]


def test_a_choice_remains_though_a_later_verdict_would_change_it(takes: Takes) -> None:
    takes.record(0, Checked())
    takes.next_take(PROFILE)
    takes.store.objects.delete(takes.verdict_name(0))
    takes.record(0, bad(0.1))
    assert takes.choice() == Choice(0, "passed")
    assert takes.next_take(PROFILE) == 0


def test_the_first_verdict_is_adopted(takes: Takes) -> None:
    first = takes.record(0, bad(0.5))
    assert takes.record(0, Checked()) == first
    assert takes.verdict(0) == first


def test_an_engine_without_other_takes_uses_the_first_one(takes: Takes) -> None:
    takes.record(0, bad(0.5))
    takes.next_take(replace(PROFILE, takes=()))
    choice = takes.choice()
    assert choice is not None
    assert (choice.take, choice.reason) == (0, "only")


def test_requests_of_automatic_takes_follow_the_engine_and_remain(takes: Takes) -> None:
    seed = takes.segment.seed
    assert takes.request(0, PROFILE) == TakeRequest(seed, {}, BY_VERIFY)
    assert takes.request(1, PROFILE) == TakeRequest(take_seed(seed, 1), {}, BY_VERIFY)
    second = takes.request(2, PROFILE)
    assert second == TakeRequest(take_seed(seed, 2), {"wait_ms": 1}, BY_VERIFY)
    assert takes.request(3, PROFILE).options == {"wait_ms": 1}, "the last change repeats"
    assert takes.request(2, replace(PROFILE, takes=({"wait_ms": 7},))) == second, "a later release adopts it"


def test_seeds_of_takes_are_stable() -> None:
    assert take_seed(5985942913781042551, 1) == 2321480602719309479
    assert len({take_seed(7, take) for take in range(1000)}) == 1000


def test_the_history_knows_takes_by_hand_by_their_numbers() -> None:
    assert HAND_FROM == TAKES_BY_HAND
