"""Forms and labels that could be misread: each is read as meant, or is a problem at its line."""

from collections import Counter

import pytest

from pipeline.errors import OptionError
from pipeline.script.events import HEADING_REST_MS
from pipeline.script.parser import read
from pipeline.script.turns import NARRATOR

THREE = "{0} We begin at nine.\n{1} I shall be there.\n{0} Bring a lamp."


def turns(text: str, **options: str) -> dict[str, int]:
    return dict(Counter(turn.speaker for turn in read(text, **options).turns))  # type: ignore[arg-type]


def problems(text: str) -> list[int]:
    return [problem.line for problem in read(text).problems]


def heard(text: str) -> str:
    return " ".join(turn.text for turn in read(text).turns)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("**Mia:**", "**Rolf:**"),
        ("Person1:", "Person2:"),
        ("[Mia]", "[Rolf]"),
        ("mia:", "rolf:"),
        ("Mia (softly):", "Rolf [aside]:"),
        ("- Mia:", "- Rolf:"),
        ("<Mia>", "<Rolf>"),
        ("MIA:", "ROLF:"),
        ("SPEAKER_00:", "SPEAKER_01:"),
    ],
)
def test_two_speakers_and_three_turns_without_a_label_in_them(first: str, second: str) -> None:
    text = THREE.format(first, second)
    assert sorted(turns(text).values()) == [1, 2]
    assert heard(text) == "We begin at nine. I shall be there. Bring a lamp."


def test_names_that_never_return_are_speakers_where_every_line_has_one() -> None:
    assert turns("Mia: One.\nRolf: Two.\nHana: Three.\nOtto: Four.\nPia: Five.") == dict.fromkeys(
        ("Mia", "Rolf", "Hana", "Otto", "Pia"), 1
    )


@pytest.mark.parametrize(
    "name",
    [
        *("Woman in Red", "Guard #2", "The Girl With The Lamp", "Karl von Hagen", "Luz de la Vega", "42"),
        *("Tom & Jo", "the ferryman", '"Red"', "Dr. Ada Lind-Holm", "X-7"),
    ],
)
def test_an_unusual_name_is_a_speaker_where_all_lines_have_one(name: str) -> None:
    text = f"Mia: Who comes?\n{name}: Nobody.\nMia: Then go."
    assert len(turns(text)) == 2
    assert heard(text) == "Who comes? Nobody. Then go."
    assert problems(text) == []


@pytest.mark.parametrize(
    "label",
    [
        "Chapter 4",
        "Saturday",
        "Remember",
        "Note",
        "Part Two",
        "Step 3",
        "May 7",
        "Warning",
        "Scene IV",
        "1999",
    ],
)
def test_a_label_that_is_no_speakers_is_read_aloud_with_a_notice(label: str) -> None:
    text = f"Mia: We begin.\n{label}: The flood\nMia: It rained.\nRolf: It did."
    script = read(text)
    assert set(script.speakers) == {"Mia", "Rolf"}
    assert f"{label}: The flood" in heard(text)
    assert [notice.line for notice in script.notices] == [2]


@pytest.mark.parametrize("label", ["Butter", "Hamburg", "Fresh butter", "Lamp oil"])
def test_a_common_noun_or_a_place_that_stands_once_is_a_problem_at_its_line(label: str) -> None:
    assert problems(f"Mia: We need things.\n{label}: A lot of it.\nRolf: Fine.\nMia: Good.") == [2]


@pytest.mark.parametrize(
    "text",
    [
        "Saturday: It snowed.\n\nSunday: It snowed again.\n\nMonday: The sun came.",
        "Remember: lamps need oil. I say so to all.\n\nThe wick matters too.\n\nRemember: trim it.",
        "There is one thing left: hope.\n\nMy advice: go home.",
        "Chapter 1: The Start\n\nIt was dark.\n\nChapter 2: The End\n\nIt was light.",
        'He said: "No."\n\nShe said: "Yes."\n\nHe said: "Well."',
        "The lamp: a short history\n\nLamps are old. They burn oil: fish oil, mostly.",
    ],
)
def test_prose_keeps_every_word_before_a_colon(text: str) -> None:
    script = read(text)
    assert (script.speakers, script.problems) == ((NARRATOR,), ())
    assert heard(text).split() == text.split()


@pytest.mark.parametrize(
    "text",
    [
        "Butter: one pound\nEggs: six\nSugar: a cup",
        "Hamburg: It rained.\n\nParis: It rained too.\n\nOslo: Sun.",
        "Mia: Hello.\n\nThe lamp went out.\n\nRolf: Who is there?",
        "Django: a framework\nFlask: another framework\nTornado: a server",
        "- Mia: one\n- Rolf: two",
    ],
)
def test_a_tie_is_a_problem_that_names_the_lines_and_the_options(text: str) -> None:
    script = read(text)
    assert len(script.problems) == 1
    assert "--form labels" in script.problems[0].reason
    assert "--form prose" in script.problems[0].reason
    assert read(text, form="prose").problems == ()
    assert read(text, form="prose").speakers == (NARRATOR,)


def test_labels_that_are_asked_for_are_taken_without_evidence() -> None:
    assert turns("Butter: One pound.\nEggs: Six.", form="labels") == {"Butter": 1, "Eggs": 1}


def test_a_name_in_the_cast_is_evidence() -> None:
    text = "Mia: We begin.\nButter: I melt.\nMia: Oh.\nSunday: I rest."
    assert read(text, cast=["butter", "SUNDAY"]).speakers == ("Mia", "Butter", "Sunday")
    assert read(text, cast=["butter", "SUNDAY"]).problems == ()


def test_two_dialects_for_different_people_are_a_problem() -> None:
    text = "Mia: One.\n[Rolf] Two.\nMia: Three.\n[Rolf] Four.\nMia: Five.\n[Rolf] Six."
    assert problems(text) == [2]


def test_a_known_name_before_another_sign_is_a_problem() -> None:
    assert problems("Mia: One.\nRolf: Two.\nMia - the tall one - left.\nRolf: Three.") == [3]


def test_a_title_block_is_left_out_and_counted() -> None:
    script = read("Title: The Lamp\nAuthor: A. N. Other\nMusic: Slow\n\nMia: One.\nRolf: Two.\nMia: Three.")
    assert script.speakers == ("Mia", "Rolf")
    assert [(omission.line, omission.kind) for omission in script.omissions] == [
        (number, "title block") for number in (1, 2, 3)
    ]


def test_front_matter_and_a_cast_list_are_left_out() -> None:
    script = read("---\ntitle: Lamp\n---\nMia: One.\nRolf: Two.\nMia: Three.")
    assert len(script.turns) == 3
    script = read("Title: Lamp\nCast:\nMia, a keeper\nRolf, a clerk\n\nMia: One.\nRolf: Two.\nMia: Three.")
    assert (len(script.turns), script.problems) == (3, ())


def test_a_line_before_the_first_speaker_is_a_problem_once() -> None:
    assert problems("The Lamp\nA play\n\nMia: One.\nRolf: Two.\nMia: Three.") == [1]


def test_a_paragraph_without_a_speaker_is_read_by_the_one_before_with_a_notice() -> None:
    script = read("Mia: Who is there?\n\nThe door opened.\n\nRolf: Me.\nMia: Come in.")
    assert [(turn.speaker, turn.line) for turn in script.turns] == [
        ("Mia", 1),
        ("Mia", 3),
        ("Rolf", 5),
        ("Mia", 6),
    ]
    assert [notice.line for notice in script.notices] == [3]


def test_headings_and_sound_cues_in_a_script_are_left_out_and_counted() -> None:
    script = read("# Lamp\n\nSFX: Wind.\n\nMia: One.\n\n(Rolf enters.)\n\nRolf: Two.\n\n---\n\nMia: Three.")
    assert len(script.turns) == 3
    assert Counter(omission.kind for omission in script.omissions) == {
        "heading": 1,
        "sound cue": 1,
        "stage direction": 1,
    }


@pytest.mark.parametrize("heading", ["## The storm", "## The storm ##", "INT. BOAT - NIGHT"])
def test_headings_in_a_script_with_speakers_pause(heading: str) -> None:
    script = read(
        f"# Lamp\n\nMia: One.\nRolf: Two.\n\n{heading}\n\nMia: Three.\n[pause:2s]\n{heading}\nRolf: Four."
    )
    assert [turn.pause_ms for turn in script.turns] == [0, 0, HEADING_REST_MS, 2000]
    assert "storm" not in " ".join(turn.text for turn in script.turns)


def test_a_wrapped_line_that_holds_a_colon_is_no_label() -> None:
    text = "Mia: There was one thing, and it was the\nfollowing: never give up.\nRolf: Yes.\nMia: So."
    assert problems(text) == []
    assert "following: never give up." in heard(text)


def test_an_unknown_form_is_refused_by_name() -> None:
    with pytest.raises(OptionError, match="labels, screenplay, prose"):
        read("Mia: One.", form="opera")


def test_a_table_without_names_for_its_columns_is_a_problem() -> None:
    assert problems("Mia,One\nRolf,Two\nMia,Three") == [1]
    assert problems("1\tMia\tOne\n2\tRolf\tTwo\n3\tMia\tThree") == [1]
