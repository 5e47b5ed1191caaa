"""Tests of the light check on takes that are sound, and bad in known ways."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.checking.light import LIMITS, identity, judge
from pipeline.checking.measures import Measures, measure
from pipeline.planning.records import PlannedLine, PlannedSegment
from tests.takes import FAULTS, RATE_HZ, SOUND, speech

KINDS = {
    "runaway": {"runaway"},
    "silent": {"silence"},
    "noise": {"noise"},
    "clipped": {"clipping"},
    "cut": {"length", "cut_off"},
    "repeated": {"repetition"},
    "quiet": {"level"},
    "offset": {"dc_offset"},
}
PLANNED_S = 20.0


def segment(text: str = "Every word of this line is another one.") -> PlannedSegment:
    return PlannedSegment(0, "00", 0, (PlannedLine(0, 1, "Anna", text),), ("Anna",), 8)


def measured(fault: str, seed: int = 0) -> Measures:
    return measure(FAULTS[fault](speech(PLANNED_S, seed)).astype(np.float32), RATE_HZ)


@pytest.mark.parametrize("fault", KINDS)
def test_a_bad_take_fails_for_its_reason(fault: str) -> None:
    for seed in range(5):
        checked = judge(measured(fault, seed), segment(), PLANNED_S)
        assert KINDS[fault] <= {finding.kind for finding in checked.findings if finding.fails}, seed
        assert checked.score < 0.51
        assert checked.deviation


def test_sound_takes_have_no_finding() -> None:
    for seed in range(50):
        checked = judge(measured(SOUND, seed), segment(), PLANNED_S)
        assert (checked.findings, checked.score, checked.deviation) == ((), 1.0, "")


def test_a_repetition_in_the_script_is_only_reported() -> None:
    twice = segment("This is said two times here. This is said two times here.")
    (finding,) = judge(measured("repeated"), twice, PLANNED_S).findings
    assert (finding.kind, finding.fails) == ("repetition", False)


def test_findings_say_where_and_how_much() -> None:
    found = judge(measured("silent"), segment(), PLANNED_S).findings
    silence = next(finding for finding in found if finding.kind == "silence")
    assert silence.start_s == pytest.approx(PLANNED_S / 2, abs=0.3)
    assert silence.end_s == pytest.approx(PLANNED_S, abs=0.1)
    assert silence.value == pytest.approx(PLANNED_S / 2, abs=0.3)
    assert silence.limit == LIMITS.silence_s


def test_a_worse_take_has_a_lower_score() -> None:
    half = judge(measured("silent"), segment(), PLANNED_S).score
    quarter = speech(PLANNED_S)
    quarter[-5 * RATE_HZ :] = 0
    assert half < judge(measure(quarter, RATE_HZ), segment(), PLANNED_S).score < 1


@pytest.mark.parametrize("samples", [0, 1, 79, 80, 800, 20_000])
def test_short_takes_are_measured(samples: int) -> None:
    found = measure(np.zeros(samples, np.float32), RATE_HZ)
    assert found.silent == 1.0
    assert [finding.kind for finding in judge(found, segment(), 0.1).findings] == ["level"]


def test_loud_samples_beyond_full_scale_are_no_clipping() -> None:
    assert not judge(measure(speech(PLANNED_S) * np.float32(6), RATE_HZ), segment(), PLANNED_S).fails


def test_stored_measurements_are_read_back() -> None:
    found = measured(SOUND)
    assert Measures.of(found.record()) == found
    assert Measures.of({**found.record(), "version": 99}) is None
    assert Measures.of(None) is None


def test_identity_is_stable_and_changes_with_the_limits() -> None:
    assert identity() == "light-67d0d02e"
    assert identity(replace(LIMITS, silence_s=5.0)) != identity()
