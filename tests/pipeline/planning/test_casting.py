import itertools
from dataclasses import replace

import numpy as np
import pytest

from bench.harness.recordings import recording, speech, wav
from pipeline.engines.hibari.engine import Hibari
from pipeline.planning.casting import Cast, cast, default_voices
from pipeline.store.artifacts import Store
from pipeline.voices.library import Voices

PROFILE = Hibari.profile
FIXED = replace(PROFILE, name="fixed", variations=())
NAMES = (
    *("Alice", "Bob", "Carol", "Dave", "Erin", "Frank", "Grace", "Heidi", "Ivan", "Judy", "Mallory", "Niaj"),
    *("Olivia", "Peggy", "Rupert", "Sybil", "Trent", "Victor", "Walter", "Nora", "Mia", "Rolf", "Host"),
)


@pytest.fixture
def registered(store: Store) -> Voices:
    return Voices(store)


def voices_of(found: Cast) -> dict[str, str]:
    assert not found.problems
    return {speaker.name: speaker.voice for speaker in found.speakers}


@pytest.mark.parametrize("count", [1, 2, 4, 7, 12, 20])
def test_default_voices_do_not_depend_on_the_order_of_names(count: int) -> None:
    names = NAMES[:count]
    expected = default_voices(names, PROFILE)
    for turned in range(count):
        assert default_voices((*names[turned:], *names[:turned]), PROFILE) == expected
    assert default_voices(names[::-1], PROFILE) == expected


@pytest.mark.parametrize(
    ("one", "other"), [("NORA", "Nora"), ("O’Brien", "o'brien"), ("Mr. Fox", "mr fox"), ("Ann\u0430", "Anna")]
)
def test_default_voices_do_not_depend_on_spelling(one: str, other: str) -> None:
    assert default_voices([one], PROFILE)[one] == default_voices([other], PROFILE)[other]


def test_up_to_four_speakers_have_different_presets() -> None:
    for names in itertools.combinations(NAMES[:9], 4):
        assert set(default_voices(names, PROFILE).values()) == set(PROFILE.presets)


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_another_speaker_moves_only_those_who_collide(count: int) -> None:
    for start in range(len(NAMES) - count):
        before = NAMES[start : start + count]
        first = default_voices(before, PROFILE)
        for name in set(NAMES) - set(before):
            after = default_voices([name, *before], PROFILE)
            taken = after.pop(name)
            moved = {each for each in before if after[each] != first[each]}
            while moved:  # a chain: each has lost its voice to the one that moved before
                loser = next(each for each in moved if first[each] == taken)
                taken = after[loser]
                moved.remove(loser)


def test_narrators_and_numbered_speakers_have_the_presets_in_order() -> None:
    assert default_voices(["Narrator"], PROFILE) == {"Narrator": "wren"}
    numbered = [f"Speaker {number}" for number in (3, 1, 4, 2)]
    assert default_voices(numbered, PROFILE) == {
        "Speaker 1": "wren",
        "Speaker 2": "heron",
        "Speaker 3": "finch",
        "Speaker 4": "crane",
    }
    assert default_voices([*NAMES, "Narrator"], PROFILE)["Narrator"] == "wren"


def test_speakers_beyond_the_presets_have_variations_with_a_notice(registered: Voices) -> None:
    found = cast(NAMES[:6], {}, PROFILE, registered)
    voices = voices_of(found)
    assert len(set(voices.values())) == 6
    varied = [name for name, voice in voices.items() if voice in PROFILE.variations]
    assert len(varied) == 2
    assert len({speaker.hash for speaker in found.speakers}) == 6
    notices = [reason for _, reason in found.notices if "more speakers than presets" in reason]
    assert len(notices) == 1
    assert all(name in notices[0] for name in varied)


def test_speakers_beyond_all_voices_share_them_with_a_notice(registered: Voices) -> None:
    found = cast(NAMES[:13], {}, PROFILE, registered)
    assert len(set(voices_of(found).values())) == 12
    assert sum("share the voice" in reason for _, reason in found.notices) == 1


def test_thousands_of_speakers_are_cast() -> None:
    names = [f"Name {number} of many" for number in range(5000)]
    assert set(default_voices(names, PROFILE)) == set(names)


def test_engines_without_variations_name_everybody_who_needs_a_voice(registered: Voices) -> None:
    found = cast(NAMES[:6], {}, FIXED, registered)
    assert len(found.speakers) == 4
    without = [name for name in NAMES[:6] if name not in {speaker.name for speaker in found.speakers}]
    (problem,) = found.problems
    assert all(name in problem.reason for name in without)
    assert "all 4 presets of engine fixed are assigned" in problem.reason
    assert f'--voice "{without[0]}=FILE"' in problem.reason
    assert "--cast" in problem.reason


def test_engines_that_need_recordings_name_everybody_without_one(registered: Voices) -> None:
    registered.add("alice", recording())
    profile = replace(PROFILE, name="real", presets=(), variations=(), reference_needed=True)
    found = cast(("Alice", "Bob", "Carol"), {"Alice": "alice"}, profile, registered)
    assert [speaker.name for speaker in found.speakers] == ["Alice"]
    (problem,) = found.problems
    assert problem.reason.startswith("Bob and Carol have no voice: engine real needs a reference recording")


def test_presets_given_to_others_are_not_assigned(registered: Voices) -> None:
    for preset in PROFILE.presets:
        voices = voices_of(cast(NAMES[:4], {"Alice": preset}, PROFILE, registered))
        assert voices["Alice"] == preset
        assert len(set(voices.values())) == 4


def test_pinned_voices_do_not_move(registered: Voices) -> None:
    pinned = voices_of(cast(NAMES[:3], {}, PROFILE, registered))
    for count in range(4, 20):
        voices = voices_of(cast(NAMES[:count], pinned, PROFILE, registered))
        assert {name: voices[name] for name in pinned} == pinned
    assert not cast(NAMES[:3], pinned, PROFILE, registered).notices


def test_voices_that_may_move_are_noticed_once(registered: Voices) -> None:
    found = cast(NAMES[:4], {}, PROFILE, registered)
    assert len([reason for _, reason in found.notices if "may change when" in reason]) <= 1
    alone = cast(NAMES[:1], {}, PROFILE, registered)
    assert not alone.notices


def test_unknown_voices_and_names_are_named_at_once(registered: Voices) -> None:
    registered.add("alice", recording())
    registered.add("k0123456789.theirs", recording())
    found = cast(("Mia", "Rolf"), {"Mia": "unknown", "Rolf": "../x", "Nobody": "wren"}, PROFILE, registered)
    assert [(problem.given, problem.voice) for problem in found.problems] == [
        ("Nobody", "wren"),
        ("Mia", "unknown"),
        ("Rolf", "../x"),
    ]
    assert "who does not speak; speakers: Mia and Rolf" in found.problems[0].reason
    available = "unknown; available: presets wren, heron, finch, crane; variations wren+2"
    assert found.problems[1].reason.startswith(available)
    assert found.problems[1].reason.endswith("; recordings alice")


def test_entries_may_be_mappings_with_a_voice(registered: Voices) -> None:
    assert voices_of(cast(("Mia",), {"MIA": {"voice": "heron"}}, PROFILE, registered)) == {"Mia": "heron"}
    found = cast(("Mia",), {"MIA": {"voice": "heron", "mood": "glad"}}, PROFILE, registered)
    assert "unknown key 'mood'" in found.problems[0].reason


def test_notices_of_recordings_come_with_the_cast(registered: Voices) -> None:
    registered.add("mia", wav(speech() * np.float32(0.5) + np.float32(0.2)))
    found = cast(("Mia", "Rolf"), {"Mia": "mia"}, PROFILE, registered)
    assert found.notices[0] == ("Mia", "voice 'mia': a constant offset was removed")
