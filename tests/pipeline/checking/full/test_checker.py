"""Tests of the full check: sound takes pass, and each kind of fault is found by the models."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from bench.harness import takes
from bench.harness.takes import FAULTS, Conversation
from pipeline.checking.full import recognizer
from pipeline.checking.full.checker import FullChecker
from pipeline.checking.full.packages import MissingPackageError, need
from pipeline.checking.full.recognizer import RecognizerSettings
from pipeline.checking.records import Checked, Material
from pipeline.engines.protocol import Utterance

pytestmark = pytest.mark.listen

TURNS = (
    (0, "Good evening, and welcome back to the garden hour. Tonight we talk about roses."),
    (1, "Thank you for having me. I brought twelve of them from the hill behind my house."),
    (0, "In 2015 you lost half of your plants to the frost. What did you change after that winter?"),
    (1, "I stopped covering them in October. A plant that freezes slowly learns to live with the cold."),
    (0, "That sounds rather brave to me. Did your neighbours agree with it, or did they laugh?"),
    (1, "They laughed until the spring, and then they asked me for advice every single morning."),
)
EXPECTED = {
    "repeated line": {"repeated_line", "run"},
    "swallowed sentence": {"run", "missing_line"},
    "three seconds of noise": {"noise"},
    "music over half": {"noise"},
    "runaway": {"runaway"},
    "silent second half": {"silence", "length"},
    "swapped speakers": {"speaker"},
    "mangled words": {"run"},
}


@cache
def garden() -> Conversation:
    return takes.conversation(0, TURNS, ("wren", "heron"))


@cache
def sound() -> Sequence[Utterance]:
    return takes.spoken(garden(), 1)


def material(utterances: Sequence[Utterance], *, separate: bool = False) -> Material:
    return takes.material(garden(), utterances, separate=separate)


def kinds(checked: Checked) -> set[str]:
    return {finding.kind for finding in checked.findings if finding.fails}


@pytest.mark.parametrize("separate", [False, True])
def test_sound_takes_pass(separate: bool) -> None:
    checked = FullChecker().check(material(sound(), separate=separate))
    assert kinds(checked) == set()
    assert checked.score > 0.95
    assert float(checked.facts["wer"]) < 0.05


@pytest.mark.parametrize("name", list(FAULTS))
def test_each_fault_is_found(name: str) -> None:
    bad = FullChecker().check(material(FAULTS[name](garden(), sound(), np.random.default_rng(3))))
    assert kinds(bad) & EXPECTED[name]
    assert bad.score < 0.95
    assert bad.deviation


def test_verdicts_repeat() -> None:
    first, second = (FullChecker().check(material(sound())) for _ in range(2))
    assert first == second


def test_verdicts_have_no_word_of_the_script() -> None:
    fault = FAULTS["mangled words"]
    bad = FullChecker().check(material(fault(garden(), sound(), np.random.default_rng(3))))
    assert not [word for word in ("garden", "roses", "winter", "plant") if word in repr(bad)]


def test_word_times_agree_with_the_engine() -> None:
    """The aligner's starts against hibari's own durations; the bench measures more words."""
    checked = FullChecker().check(material(sound()))
    apart_s = takes.word_time_errors(garden(), sound(), checked.words)
    assert len(apart_s) > 80
    assert np.percentile(apart_s, 95) < 0.15


def test_other_languages_are_checked_by_the_rest() -> None:
    checked = FullChecker().check(replace(material(sound()), language="de"))
    assert checked.facts["language_unchecked"] == "de"
    assert "wer" not in checked.facts
    swapped = FAULTS["swapped speakers"](garden(), sound(), np.random.default_rng(3))
    bad = FullChecker().check(replace(material(swapped, separate=True), language="de"))
    assert kinds(bad) == {"speaker"}


def test_the_identity_covers_models_and_thresholds() -> None:
    own = FullChecker()
    stricter = FullChecker(thresholds=replace(own.thresholds, run_max=3))
    assert own.identity() == FullChecker().identity()
    assert own.identity() != stricter.identity()
    assert own.identity().startswith("full-")


def test_a_missing_package_is_named_with_the_command() -> None:
    with pytest.raises(
        MissingPackageError, match="needs no-such-package, which is not installed; run `make listen`"
    ):
        need("no-such-package", "no_such_package")


def test_a_folder_is_a_model() -> None:
    folder = str(recognizer.folder(""))
    assert recognizer.identity(folder) == recognizer.identity("")
    assert recognizer.recognizer(RecognizerSettings(folder)).knows("en")
