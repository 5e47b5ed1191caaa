"""Captions show what is written; their times follow what is spoken."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.planning.records import PlannedLine, Span
from pipeline.stitching.alignment import Captions
from pipeline.stitching.subtitles import Cue, cues
from pipeline.stitching.timeline import Timeline, TimelineItem


def timeline(*pieces: tuple[PlannedLine, str | None]) -> Timeline:
    """Pieces of 1,000 samples each at 1 kHz; a text of None is a gap."""
    placed = tuple(
        TimelineItem(
            0, (line,), Span(0, 1000, 0, 1, text, None, 0.1) if text is not None else None, 1000 * i, 1000
        )
        for i, (line, text) in enumerate(pieces)
    )
    return Timeline(1000, 1000 * len(placed), placed)


def shown(found: tuple[Cue, ...]) -> list[str]:
    return [cue.text for cue in found]


def test_the_written_text_is_shown() -> None:
    line = PlannedLine(0, 1, "Ann", "Add one third cup. It is 5 percent, king Charles.")
    found = cues(
        timeline((line, "Add one third cup."), (line, "It is 5 percent, king Charles.")),
        {0: "Add ⅓ cup. It is 5%, King Charles."},
    )
    assert shown(found) == ["Add ⅓ cup.", "It is 5%, King Charles."]


def test_a_gap_takes_its_words_with_it() -> None:
    first = PlannedLine(0, 1, "Ann", "Add one third cup now.")
    second = PlannedLine(0, 1, "Ann", "Then wait one half hour.", continues=True)
    third = PlannedLine(0, 1, "Ann", "Good.", continues=True)
    written = {0: "Add ⅓ cup now. Then wait ½ hour. Good."}
    pieces = ((first, first.text), (second, None), (third, "Good."))
    assert shown(cues(timeline(*pieces), written)) == ["Add ⅓ cup now.", "Good."]


def test_times_follow_the_spoken_words() -> None:
    """An address that is spoken long is shown long, and one that is not spoken takes no time."""
    spoken = "He looked at the number 1,234,567,890 for a while, and then he went home without another word."
    found = cues(timeline((PlannedLine(0, 1, "Ann", spoken), spoken)))
    assert len(found) == 2
    by_letters = len(found[0].text) / len(spoken)
    assert found[0].end_ms > 1000 * by_letters + 50
    written = (
        "See https://example.org/a/long/address/that/nobody/reads/aloud/in/full for more of it, please do."
    )
    said = "See for more of it, please do."
    found = cues(timeline((PlannedLine(0, 1, "Ann", said), said)), {0: written})
    assert shown(found)[-1].endswith("please do.")
    assert found[-1].end_ms - found[-1].start_ms > 500


@given(
    st.lists(st.sampled_from(["a", "bb", "ccc", "5%", "⅓"]), min_size=1, max_size=12),
    st.lists(st.sampled_from(["a", "bb", "ccc", "one", "third", "percent"]), min_size=1, max_size=12),
    st.lists(st.integers(1, 4), min_size=1, max_size=12),
)
def test_no_written_word_is_lost_or_doubled(written: list[str], spoken: list[str], cuts: list[int]) -> None:
    captions = Captions({0: " ".join(written)}, [PlannedLine(0, 1, "Ann", " ".join(spoken))])
    found, rest = [], list(spoken)
    for cut in cuts:
        if rest:
            found.append(captions.of(0, " ".join(rest[:cut])))
            rest = rest[cut:]
    if rest:
        found.append(captions.of(0, " ".join(rest)))
    assert " ".join(caption.text for caption in found if caption.text).split() == written
    for caption in found:
        assert len(caption.weights) == len(caption.text)
