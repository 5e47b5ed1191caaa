import re
from dataclasses import replace
from pathlib import Path

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.planning.records import PlannedLine, Span
from pipeline.stitching.subtitles import (
    CUE_CHARACTERS,
    LINE_CHARACTERS,
    Cue,
    cues,
    readable,
    srt,
    timed_words,
    vtt,
    wrapped,
)
from pipeline.stitching.timeline import SpokenWord, Timeline, TimelineItem

LONG = (
    "When the first settlers came down into the valley, they found nothing but reeds and water, "
    "and the few who stayed through that winter built their houses on stilts above the flood."
)


def item(start: int, samples: int, *said: tuple[str, str], text: str | None = None) -> TimelineItem:
    lines = tuple(PlannedLine(turn, turn + 1, name, words) for turn, (name, words) in enumerate(said))
    words = " ".join(line.text for line in lines) if text is None else text
    return TimelineItem(0, lines, Span(0, samples, 0, len(lines), words, -20.0, 0.5), start, samples)


def heard(*items: TimelineItem) -> tuple[Cue, ...]:
    return cues(Timeline(1000, items[-1].start + items[-1].samples, items))


def test_sentences_are_cues_timed_by_characters() -> None:
    assert heard(item(500, 2000, ("Ann", "One two. Three four five."))) == (
        Cue(500, 1166, "Ann", "One two."),
        Cue(1166, 2500, "Ann", "Three four five."),
    )


def test_cues_have_the_words_of_their_span() -> None:
    (only,) = heard(item(0, 1000, ("Ann", "One. Two."), text="Two."))
    assert only.text == "Two."


def test_spans_of_several_lines_have_cues_per_speaker() -> None:
    spoken = heard(item(0, 1000, ("Ann", "Yes."), ("Bob", "Well. No.")))
    assert [(cue.speaker, cue.text) for cue in spoken] == [("Ann", "Yes."), ("Bob", "Well."), ("Bob", "No.")]
    assert spoken[0].start_ms == 0
    assert spoken[-1].end_ms == 1000


def timed(given: TimelineItem, *times: tuple[int, int]) -> TimelineItem:
    return replace(given, words=tuple(SpokenWord(start, end, 0.9) for start, end in times))


def test_cues_follow_the_times_of_their_words() -> None:
    spoken = timed(
        item(500, 9000, ("Ann", "One two. Three four.")), (700, 900), (950, 1200), (1400, 1700), (5000, 5500)
    )
    assert heard(spoken) == (
        Cue(700, 1400, "Ann", "One two."),
        Cue(1400, 5800, "Ann", "Three four."),
    )


def test_cues_of_several_lines_follow_their_words() -> None:
    spoken = timed(item(0, 4000, ("Ann", "Yes, yes."), ("Bob", "No.")), (0, 100), (200, 300), (3000, 3500))
    assert heard(spoken) == (Cue(0, 300, "Ann", "Yes, yes."), Cue(3000, 3500, "Bob", "No."))


def test_words_have_times_of_what_is_spoken_in_their_place() -> None:
    spoken = timed(item(0, 900, ("Ann", "Add one third cup.")), (0, 100), (200, 300), (300, 500), (600, 800))
    found = timed_words(Timeline(1000, 900, (spoken,)), {0: "Add ⅓ cup."})
    assert [(word.word, word.start_s, word.end_s, word.confidence) for word in found] == [
        ("Add", 0.0, 0.1, 0.9),
        ("⅓", 0.2, 0.5, 0.9),
        ("cup.", 0.6, 0.8, 0.9),
    ]


def test_words_without_times_share_the_span_and_have_no_confidence() -> None:
    found = timed_words(Timeline(1000, 1000, (item(0, 1000, ("Ann", "Yes. Good.")),)))
    assert [(word.word, word.start_s, word.end_s, word.confidence) for word in found] == [
        ("Yes.", 0.0, 0.444, None),
        ("Good.", 0.444, 1.0, None),
    ]
    assert {(word.speaker, word.turn) for word in found} == {("Ann", 0)}


@given(
    st.lists(st.sampled_from(["a", "⅓", "word", "5%", "co-op"]), min_size=1, max_size=8),
    st.lists(st.sampled_from(["a", "one", "third", "word", "percent", "five"]), min_size=1, max_size=8),
)
def test_every_written_word_has_a_time_in_order(written: list[str], spoken: list[str]) -> None:
    piece = timed(
        item(0, 100 * len(spoken), ("Ann", " ".join(spoken))),
        *((100 * i, 100 * i + 90) for i in range(len(spoken))),
    )
    found = timed_words(Timeline(1000, piece.samples, (piece,)), {0: " ".join(written)})
    assert [word.word for word in found] == written
    assert [word.start_s for word in found] == sorted(word.start_s for word in found)
    assert all(word.start_s <= word.end_s for word in found)


def test_gaps_have_no_cue() -> None:
    assert (
        cues(Timeline(1000, 9, (TimelineItem(0, (PlannedLine(0, 1, "Ann", "Words."),), None, 0, 9),))) == ()
    )


def test_long_sentences_are_cut_after_a_clause() -> None:
    assert readable(LONG)[0] == "When the first settlers came down into the valley,"


@given(st.lists(st.text(st.sampled_from("abc,—é界"), min_size=1, max_size=100), min_size=1, max_size=60))
def test_cues_are_short_and_contain_every_word_in_order(words: list[str]) -> None:
    parts = readable(" ".join(words))
    assert "".join(parts).replace(" ", "") == "".join(words)
    for part in parts:
        assert len(part) <= CUE_CHARACTERS + 1, "two full lines and the space between them"
        assert len(wrapped(part)) <= 2
        assert all(len(line) <= LINE_CHARACTERS for line in wrapped(part))


@given(st.lists(st.text(st.sampled_from("ab .!?,"), min_size=1, max_size=200), min_size=1, max_size=5))
def test_cues_follow_one_another_without_overlap(texts: list[str]) -> None:
    spoken = heard(*(item(i * 3000, 2500, ("Ann", text)) for i, text in enumerate(texts)))
    ends = [0, *(cue.end_ms for cue in spoken)]
    assert all(end <= cue.start_ms <= cue.end_ms for end, cue in zip(ends, spoken, strict=False))


def test_srt_has_the_standard_form() -> None:
    assert srt([Cue(0, 1500, "Ann", "One."), Cue(3_600_000, 3_723_004, "Bob", "Two.")]) == (
        "1\n00:00:00,000 --> 00:00:01,500\nOne.\n\n2\n01:00:00,000 --> 01:02:03,004\nTwo.\n\n"
    )


def test_srt_text_has_no_arrows_or_tags() -> None:
    text = srt([Cue(0, 1, "Ann", r"a --> b <i>c</i> {\an8} 1 < 2")])
    assert text.count("-->") == 1
    assert "a → b ‹i>c‹/i> (\\an8} 1 < 2" in text


def test_vtt_names_speakers_and_escapes_markup() -> None:
    text = vtt([Cue(0, 1500, "Tom & <Jerry>\n", "1 < 2 --> 3 & so on")])
    assert text.splitlines() == [
        "WEBVTT",
        "",
        "00:00:00.000 --> 00:00:01.500",
        "<v Tom &amp; &lt;Jerry&gt;>1 &lt; 2 --&gt; 3 &amp; so on",
        "",
    ]


@pytest.mark.parametrize("kind", ["srt", "vtt"])
def test_another_reader_finds_every_cue(tmp_path: Path, kind: str) -> None:
    spoken = heard(item(0, 20_000, ("Ann", LONG), ("Bob", "No! Yes.")))
    path = tmp_path / f"out.{kind}"
    path.write_text(srt(spoken) if kind == "srt" else vtt(spoken), encoding="utf-8")
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(container.streams.subtitles[0]) if packet.size]
    assert len(packets) == len(spoken)
    assert [packet.pts for packet in packets] == [cue.start_ms for cue in spoken]
    words = " ".join(re.sub(r"<[^>]*>", "", bytes(packet).decode()) for packet in packets)
    assert words.split() == f"{LONG} No! Yes.".split()
