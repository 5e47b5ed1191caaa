import pytest

from pipeline.planning.records import PlannedLine, PlannedSegment, SegmentAudio, Span
from pipeline.stitching.marks.cue_times import Shifts, cue_times, shifts
from pipeline.stitching.timeline import TIMED_GAP_MS, Pauses, Timeline, lay_out

RATE_HZ = 1000
ONSET = 100


def timeline(lengths_s: list[float], starts_ms: dict[int, int]) -> Timeline:
    """One segment of turns that each have one span, whose first word begins after 0.1 s."""
    lines = tuple(PlannedLine(i, i + 1, "Ann", "Yes.") for i in range(len(lengths_s)))
    spans, start = [], 0
    for i, length_s in enumerate(lengths_s):
        samples = round(length_s * RATE_HZ)
        spans.append(Span(start, samples, i, 1, "Yes.", -20.0, 0.1, ((ONSET, samples),)))
        start += samples
    planned = PlannedSegment(0, "k", 0, lines, ("Ann",), len(lines))
    audio = SegmentAudio(RATE_HZ, start, tuple(spans))
    return lay_out(
        [(planned, audio)], pauses=Pauses(), sample_rate_hz=RATE_HZ, words_per_s=2.0, starts_ms=starts_ms
    )


def test_the_first_words_of_cues_begin_at_their_times() -> None:
    found = timeline([1.0, 1.0, 1.0], {0: 2000, 1: 4000, 2: 9500})
    assert [cue.start_s for cue in cue_times(found, {0: 2000, 1: 4000, 2: 9500})] == [2.0, 4.0, 9.5]
    assert found.samples == 9500 - ONSET + 1000


def test_a_cue_whose_time_has_passed_follows_and_later_ones_catch_up() -> None:
    starts_ms = {0: 1000, 1: 1500, 2: 2200, 3: 9000}
    found = timeline([2.0, 1.0, 1.0, 1.0], starts_ms)
    ends = [item.start + item.samples for item in found.items]
    assert [item.start for item in found.items[1:3]] == [end + TIMED_GAP_MS for end in ends[:2]]
    cues = cue_times(found, starts_ms)
    assert [cue.shift_s for cue in cues] == pytest.approx([0.0, 1.54, 1.88, 0.0])
    assert shifts(cues) == Shifts(cues=4, shifted=2, total_s=3.42, largest_s=1.88, largest_line=3)


def test_turns_without_a_time_follow_by_the_usual_pauses() -> None:
    found = timeline([1.0, 1.0, 1.0], {0: 0, 2: 5000})
    assert [item.start for item in found.items] == [0, 1250, 4900]


def test_a_first_cue_at_zero_is_within_the_limit() -> None:
    assert cue_times(timeline([1.0], {0: 80}), {0: 80})[0].shift_s == 0.0
