"""Tests of what a text must have before a rule is applied to it."""

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.engines.hibari.normalizer import _TRIGGERS
from pipeline.normalization.necessary import features_of, may_match, needs_of
from pipeline.normalization.normalizer import RULES

PATTERNS = {rule.name: rule.pattern for rule in RULES} | {
    pattern.pattern: pattern for pattern, _ in _TRIGGERS
}


@pytest.mark.hypothesis
@pytest.mark.parametrize("name", PATTERNS)
def test_no_match_is_left_out(name: str) -> None:
    pattern = PATTERNS[name]
    needs = needs_of(pattern)

    @settings(deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(st.from_regex(pattern))
    def check(text: str) -> None:
        if pattern.search(text):
            assert may_match(needs, features_of(text)), text

    check()


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"a?b*(?:c|)", "x"),
        (r"(?<!x)\d+", "٣"),
        (r"(?i)mr\.", "MR."),
        (r"(?:(?i:ab)|cd)e", "ABe"),
        (r"(?<=St)\.", "St."),
        (r"[^a]", "b"),
        (r"\w[xy]", "qx"),
    ],
)
def test_needs_are_those_of_every_match(pattern: str, text: str) -> None:
    assert re.search(pattern, text)
    assert may_match(needs_of(re.compile(pattern)), features_of(text))


def test_rules_without_a_chance_are_left_out() -> None:
    features = features_of("The kettle is on, and nobody asked why.")
    assert sum(may_match(needs_of(rule.pattern), features) for rule in RULES) < len(RULES) / 4
