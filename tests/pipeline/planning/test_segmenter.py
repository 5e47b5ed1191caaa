from dataclasses import replace

import pytest

from pipeline.engines.hibari.engine import Hibari
from pipeline.engines.protocol import Profile
from pipeline.planning.records import PlannedSegment
from pipeline.planning.segmenter import plan, text_of
from pipeline.script.turns import Turn

PROFILE = Hibari.profile
VOICES = {"A": "preset:a", "B": "preset:b", "C": "preset:c"}


def turns(count: int, words: int = 20) -> list[Turn]:
    return [
        Turn("ABC"[i % 3], " ".join(f"w{i}x{k}" for k in range(words)) + ".", i + 1) for i in range(count)
    ]


def planned(
    script: list[Turn], profile: Profile = PROFILE, identity: dict[str, object] | None = None
) -> list[PlannedSegment]:
    return list(plan(script, profile, speakers=VOICES, identity=identity or {}))


def test_segments_are_whole_turns_of_the_preferred_size() -> None:
    script = turns(300)
    segments = planned(script)
    assert [line.text for segment in segments for line in segment.lines] == [turn.text for turn in script]
    assert all(PROFILE.words_max / 2 - 20 <= segment.words <= PROFILE.words_max + 20 for segment in segments)


def test_changed_lines_change_only_their_segment() -> None:
    script = turns(300)
    before = {segment.key for segment in planned(script)}
    for index in (0, 7, 150, 299):
        changed = [*script]
        changed[index] = replace(changed[index], text=changed[index].text.replace("w", "v", 1))
        new = [segment.key for segment in planned(changed) if segment.key not in before]
        assert 1 <= len(new) <= 3, "cuts after the change fall where they fell before"


def test_inserted_lines_leave_distant_segments_unchanged() -> None:
    script = turns(300)
    before = {segment.key for segment in planned(script)}
    longer = [*script[:150], Turn("B", "Something entirely new is said here.", 151), *script[150:]]
    segments = planned(longer)
    assert len([segment for segment in segments if segment.key not in before]) <= 4


def test_long_turns_are_cut_at_sentence_ends_only() -> None:
    sentences = [f"This is sentence number {i} of a very long monologue." for i in range(200)]
    segments = planned([Turn("A", " ".join(sentences), 1)])
    assert len(segments) > 4
    assert [line.text for segment in segments for line in segment.lines] == sentences
    assert not segments[0].lines[0].continues
    assert all(line.continues for segment in segments for line in segment.lines[1:])


CHINESE = "今天的天气非常好，我们一起去公园散步，然后在湖边喝一杯热茶吧。"


def test_chinese_segments_have_the_preferred_size() -> None:
    script = [Turn("AB"[i % 2], CHINESE, i + 1) for i in range(60)]
    segments = planned(script)
    assert [line.text for segment in segments for line in segment.lines] == [CHINESE] * 60
    assert all(PROFILE.words_max / 2 <= segment.words <= PROFILE.words_max for segment in segments)


def test_long_chinese_turns_are_cut_at_sentence_ends() -> None:
    segments = planned([Turn("A", CHINESE * 60, 1)])
    assert [line.text for segment in segments for line in segment.lines] == [CHINESE] * 60
    assert all(segment.words <= PROFILE.words_max for segment in segments)


@pytest.mark.parametrize(
    ("text", "between"),
    [("天气好" * 700, ""), ("天气好，" * 700, ""), ("on and on " * 700, " "), ("on, and " * 700, " ")],
)
def test_very_long_sentences_are_cut(text: str, between: str) -> None:
    segments = planned([Turn("A", text.strip(), 1)])
    lines = [line.text for segment in segments for line in segment.lines]
    assert between.join(lines) == text.strip()
    assert all(segment.words <= 1.2 * PROFILE.words_max for segment in segments)
    if "，" in text or "," in text:
        assert all(line.endswith(("，", ",")) for line in lines[:-1])


def test_sentences_slightly_longer_than_a_segment_stay_whole() -> None:
    text = " ".join(["on"] * 2 * PROFILE.words_max)
    assert [segment.words for segment in planned([Turn("A", text, 1)])] == [2 * PROFILE.words_max]


def test_lines_without_a_whole_word_count_as_one_word() -> None:
    assert [segment.words for segment in planned([Turn("A", "好", 1)])] == [1]


def test_speakers_are_numbered_from_zero_in_the_order_of_their_voices() -> None:
    segment = planned([Turn("C", "First words.", 1), Turn("A", "Then these.", 2)])[0]
    assert segment.speakers == ("A", "C")
    assert [line.slot for line in text_of(segment).lines] == [1, 0]


def test_renamed_speakers_keep_their_segments() -> None:
    script = turns(300)
    names = {"A": "Zoe", "B": "Anna Maria", "C": "C"}
    renamed = [replace(turn, speaker=names[turn.speaker]) for turn in script]
    voices = {names[name]: voice for name, voice in reversed(VOICES.items())}
    again = list(plan(renamed, PROFILE, speakers=voices, identity={}))
    assert [segment.key for segment in again] == [segment.key for segment in planned(script)]
    assert [segment.seed for segment in again] == [segment.seed for segment in planned(script)]
    assert {name for segment in again for name in segment.speakers} == set(names.values())


@pytest.mark.parametrize("same", [{"A": "preset:a", "B": "preset:a", "C": "preset:c"}])
def test_renamed_speakers_with_one_voice_keep_their_segments(same: dict[str, str]) -> None:
    script = turns(60)
    swapped = {"A": "B", "B": "A", "C": "C"}
    renamed = [replace(turn, speaker=swapped[turn.speaker]) for turn in script]
    first, second = (list(plan(each, PROFILE, speakers=same, identity={})) for each in (script, renamed))
    assert [segment.key for segment in first] == [segment.key for segment in second]


def test_deleting_the_first_line_leaves_distant_segments_unchanged() -> None:
    script = turns(300)
    before = {segment.key for segment in planned(script)}
    after = planned(script[1:])
    assert after[0].lines[0].speaker == "B", "another speaker is the first to speak"
    assert len([segment for segment in after if segment.key not in before]) <= 3


def test_segments_respect_the_maximum_of_speakers() -> None:
    segments = planned(turns(60), replace(PROFILE, speakers_max=2))
    assert all(len(segment.speakers) <= 2 for segment in segments)
    assert sum(len(segment.lines) for segment in segments) == 60


def test_engines_without_lines_get_pauses_between_segments() -> None:
    script = turns(12)
    script[5] = replace(script[5], pause_ms=1000)
    segments = planned(script, replace(PROFILE, separates_lines=False))
    assert [segment.lines[0].pause_ms for segment in segments] == [0, 1000]
    assert len(planned(script)) == 1


@pytest.mark.parametrize(
    "change", [{"seed": 1}, {"revision": "other"}, {"engine": "other"}, {"options": {"pace": 2}}]
)
def test_keys_cover_everything_that_shapes_the_sound(change: dict[str, object]) -> None:
    script = turns(3)
    assert planned(script)[0].key != planned(script, identity=change)[0].key


def test_owners_have_keys_of_their_own_and_share_the_sound() -> None:
    script = turns(60)

    def owned(owner: str | None) -> list[PlannedSegment]:
        return list(plan(script, PROFILE, speakers=VOICES, identity={}, owner=owner))

    shared, ann, ben = owned(None), owned("a" * 32), owned("b" * 32)
    assert shared == planned(script)
    assert not {each.key for each in shared} & {each.key for each in ann}
    assert not {each.key for each in ann} & {each.key for each in ben}
    assert [replace(each, key="") for each in ann] == [replace(each, key="") for each in shared]


def test_position_in_the_script_does_not_affect_keys() -> None:
    script = turns(3)
    moved = [replace(turn, line=turn.line + 100) for turn in script]
    assert [segment.key for segment in planned(script)] == [segment.key for segment in planned(moved)]


def test_first_segments_are_small_and_grow() -> None:
    script = [
        Turn("A", " ".join(f"Number {i}x{k} is said here." for k in range(8)), i + 1) for i in range(60)
    ]
    segments = list(plan(script, PROFILE, speakers=VOICES, identity={}, first_words=10))
    words = [segment.words for segment in segments]
    assert all(size <= goal for size, goal in zip(words, (10, 20, 40, 80), strict=False))
    assert min(words[5:]) > PROFILE.words_max / 3
    spoken = " ".join(line.text for segment in segments for line in segment.lines)
    assert spoken == " ".join(turn.text for turn in script)
    assert [segment.index for segment in segments] == list(range(len(segments)))


def test_small_first_segments_leave_distant_segments_unchanged() -> None:
    script = turns(300)
    early = list(plan(script, PROFILE, speakers=VOICES, identity={}, first_words=10))
    late = {segment.key for segment in planned(script)}
    assert len([segment for segment in early if segment.key not in late]) < 10


def test_a_short_script_has_small_segments_only() -> None:
    segments = list(plan(turns(1, words=6), PROFILE, speakers=VOICES, identity={}, first_words=10))
    assert [segment.words for segment in segments] == [6]


def test_chapters_begin_segments() -> None:
    script = turns(300)
    for first_words in (None, 10):
        segments = list(
            plan(
                script, PROFILE, speakers=VOICES, identity={}, first_words=first_words, chapters=(1, 100, 203)
            )
        )
        starts = {segment.lines[0].turn for segment in segments}
        assert {1, 100, 203} <= starts
        spoken = [line.text for segment in segments for line in segment.lines]
        assert " ".join(spoken) == " ".join(turn.text for turn in script)


def test_a_change_in_a_chapter_leaves_the_others_unchanged() -> None:
    def keys(script: list[Turn]) -> list[str]:
        made = plan(script, PROFILE, speakers=VOICES, identity={}, chapters=(0, 100, 200))
        return [segment.key for segment in made if not 100 <= segment.lines[-1].turn < 200]

    script = turns(300)
    changed = [
        *script[:199],
        replace(script[199], text="The last words of the second chapter."),
        *script[200:],
    ]
    assert keys(changed) == keys(script)
