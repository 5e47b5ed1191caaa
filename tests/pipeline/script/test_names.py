import pytest

from pipeline.script.names import find, identity
from pipeline.script.parser import read


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("O’Brien", "O'BRIEN"),
        ("Mr. Fox", "Mr Fox"),
        ("ZOE\u0308", "Zoë"),
        ("speaker 1", "SPEAKER_01"),
        ("Guard #1", "guard 1"),
        ("Jean‑Luc", "Jean-Luc"),
        ("Tom & Jo", "Tom and Jo"),
        ("N\u043era", "Nora"),
        ("Doctor Hale", "Dr. Hale"),
        ("Straße", "STRASSE"),
    ],
)
def test_spellings_of_one_person(one: str, other: str) -> None:
    assert identity(one) == identity(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("Ann", "Anna"), ("Mr. Fox", "Mrs. Fox"), ("Guard 1", "Guard 2"), ("007", "7"), ("Анна", "Anna")],
)
def test_people_who_are_two(one: str, other: str) -> None:
    assert identity(one) != identity(other)


def test_the_commonest_spelling_is_shown_and_the_others_are_notices() -> None:
    script = read(
        "ROLF: One.\nRolf: Two.\nMia: Three.\nRolf: Four.\nN\u043era: Five.\nNora: Six.\nNora: Seven."
    )
    assert script.speakers == ("Rolf", "Mia", "Nora")
    assert [notice.line for notice in script.notices] == [1, 5]


def test_whole_names_in_look_alike_letters_are_one_speaker() -> None:
    script = read("Teo: One.\nМия: Two.\n\u0422\u0435\u043e: Three.\nTeo: Four.")
    assert len(script.speakers) == 2
    assert "looks like" in script.notices[0].reason


def test_near_misses_are_notices_and_stay_two() -> None:
    script = read("Theo: One.\nMia: Two.\nThoe: Three.\nTheo: Four.\nMia: Five.\nZoë: Six.\nZoe: Seven.")
    assert script.speakers == ("Theo", "Mia", "Thoe", "Zoë", "Zoe")
    assert [notice.line for notice in script.notices] == [3, 7]
    assert (
        read("Guard 1: One.\nGuard 2: Two.\nGuard 1: Three.\nMr. Fox: A.\nMrs. Fox: B.\nMr. Fox: C.").notices
        == ()
    )


def test_a_name_beside_the_script_means_its_speaker() -> None:
    assert find("o'brien", ["Zoë", "O'Brien"]) == "O'Brien"
    assert find("speaker 01", ["Speaker 1"]) == "Speaker 1"
    assert find("Rolf", ["Mia"]) is None
