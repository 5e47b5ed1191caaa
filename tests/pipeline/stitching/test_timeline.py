from pipeline.planning.records import PlannedLine, PlannedSegment, SegmentAudio, Span
from pipeline.stitching.timeline import Pauses, SpokenWord, Timeline, lay_out, line_times

RATE_HZ = 1000
"""Sample rate at which a sample is a millisecond."""
PAUSES = Pauses(sentence_ms=1, turn_ms=20, speaker_ms=300, segment_ms=4000)


def line(
    turn: int, speaker: str, text: str = "words", pause_ms: int = 0, continues: bool = False
) -> PlannedLine:
    return PlannedLine(turn, turn + 1, speaker, text, pause_ms, continues)


def segment(*lines: PlannedLine, words: int = 10) -> PlannedSegment:
    return PlannedSegment(0, "key", 0, lines, tuple({line.speaker for line in lines}), words)


def audio(*spans: tuple[int, int]) -> SegmentAudio:
    """Segment with spans of (line, lines), 100 samples each."""
    made = (Span(100 * i, 100, first, lines, "words", -20.0, 0.5) for i, (first, lines) in enumerate(spans))
    return SegmentAudio(RATE_HZ, 100 * len(spans), tuple(made))


def laid(*segments: tuple[PlannedSegment, SegmentAudio | None]) -> Timeline:
    return lay_out(segments, pauses=PAUSES, sample_rate_hz=RATE_HZ, words_per_s=2.0)


def pauses_ms(*segments: tuple[PlannedSegment, SegmentAudio | None]) -> list[int]:
    end, found = 0, []
    for item in laid(*segments).items:
        found.append(item.start - end)
        end = item.start + item.samples
    return found


def test_pauses_depend_on_the_joined_lines() -> None:
    script = segment(line(0, "A"), line(1, "A"), line(2, "B"), line(2, "B", continues=True))
    assert pauses_ms((script, audio((0, 1), (0, 1), (1, 1), (2, 1), (3, 1)))) == [0, 1, 20, 300, 1]


def test_pauses_are_independent_of_segment_boundaries() -> None:
    lines = (line(0, "A"), line(1, "A"), line(2, "B"), line(2, "B", continues=True))
    whole = (segment(*lines), audio((0, 1), (1, 1), (2, 1), (3, 1)))
    assert pauses_ms(*((segment(each), audio((0, 1))) for each in lines)) == pauses_ms(whole)


def test_requested_pauses_are_added_once() -> None:
    script = segment(line(0, "A", pause_ms=500), line(1, "B", pause_ms=1000), line(1, "B", "x", 70, True))
    assert pauses_ms((script, audio((0, 1), (0, 1), (1, 1), (1, 1), (2, 1)))) == [500, 1, 1300, 1, 71]


def test_utterances_of_several_lines_have_pauses_between_segments_only() -> None:
    first = (segment(line(0, "A"), line(1, "B")), audio((0, 2)))
    second = (segment(line(2, "A", pause_ms=5), line(3, "B")), audio((0, 2)))
    cut = (segment(line(3, "B", continues=True), line(4, "A")), audio((0, 2)))
    assert pauses_ms(first, second, cut) == [0, 4005, 1]


def test_missing_segments_become_silence_at_the_rate_of_the_others() -> None:
    there = (segment(line(0, "A"), words=10), audio((0, 1)))
    timeline = laid(there, (segment(line(1, "A"), words=30), None))
    assert [(item.span is None, item.samples) for item in timeline.items] == [(False, 100), (True, 300)]


def test_jobs_of_gaps_only_use_the_expected_rate() -> None:
    assert laid((segment(line(0, "A"), words=30), None)).samples == 15_000


def test_silent_segments_are_gaps() -> None:
    silent = SegmentAudio(RATE_HZ, 0, (Span(0, 0, 0, 1, "…", None, 0.0),))
    (item,) = laid((segment(line(0, "A")), silent)).items
    assert item.span is None


def test_length_is_the_sum_of_pieces_and_pauses() -> None:
    script = (segment(line(0, "A"), line(1, "B")), audio((0, 1), (1, 1)))
    assert laid(script, script).samples == 4 * 100 + 300 + 300 + 300


def test_lines_divide_a_span_by_characters() -> None:
    (item,) = laid((segment(line(0, "A", "abc"), line(1, "B", "a")), audio((0, 2)))).items
    assert [(time.start, time.end) for time in line_times(item)] == [(0, 75), (75, 100)]


def test_words_of_the_engine_are_placed_in_the_file() -> None:
    spoken = Span(50, 100, 0, 1, "two words", -20.0, 0.5, ((10, 40), (60, 90)))
    first, second = (
        (
            segment(line(0, "A", "two words")),
            SegmentAudio(RATE_HZ, 150, (spoken,)),
        ),
        (segment(line(1, "A", "two words")), SegmentAudio(RATE_HZ, 150, (spoken,))),
    )
    items = laid(first, second).items
    assert items[0].words == (SpokenWord(10, 40, 1.0), SpokenWord(60, 90, 1.0))
    assert items[1].start == 120
    assert items[1].words[0] == SpokenWord(130, 160, 1.0)


def test_recognised_words_are_placed_by_line_and_span() -> None:
    script = segment(line(0, "A", "one two. three"), line(1, "B", "four"))
    spans = (
        Span(0, 1000, 0, 1, "one two.", -20.0, 0.5),
        Span(1100, 900, 0, 1, "three", -20.0, 0.5),
        Span(2000, 1000, 1, 1, "four", -20.0, 0.5),
    )
    heard = {
        (0, 0): (0.1, 0.3, 0.9),
        (0, 1): (0.4, 0.9, None),
        (0, 2): (1.0, 1.5, 0.8),
        (1, 0): (2.2, 9.0, 0.7),
    }
    items = lay_out(
        [(script, SegmentAudio(RATE_HZ, 3000, spans))],
        pauses=PAUSES,
        sample_rate_hz=RATE_HZ,
        words_per_s=2.0,
        heard={0: heard},
    ).items
    assert items[0].words == (SpokenWord(100, 300, 0.9), SpokenWord(400, 900, None))
    assert items[1].words == (SpokenWord(1001, 1401, 0.8),), "not before its span"
    assert items[2].words == (SpokenWord(2401, 3201, 0.7),), "not behind its span"


def test_lines_of_one_span_have_the_times_of_their_words() -> None:
    script = segment(line(0, "A", "one two"), line(1, "B", "three"))
    audio = SegmentAudio(RATE_HZ, 1000, (Span(0, 1000, 0, 2, "one two three", -20.0, 0.5),))
    heard = {(0, 0): (0.1, 0.2, 0.9), (0, 1): (0.2, 0.4, 0.9), (1, 0): (0.8, 0.9, 0.9)}
    (item,) = lay_out(
        [(script, audio)], pauses=PAUSES, sample_rate_hz=RATE_HZ, words_per_s=2.0, heard={0: heard}
    ).items
    assert [(time.start, time.end) for time in line_times(item)] == [(100, 400), (800, 900)]
