"""Scripts as other programs export them: read as they are meant, or refused at the line."""

import pytest

from pipeline.script.parser import read

TWO = [("Mia", "Is the lamp lit?"), ("Rolf", "Yes, since nine."), ("Mia", "Good.")]


def said(text: str) -> list[tuple[str, str]]:
    script = read(text)
    assert script.problems == (), script.problems
    return [(turn.speaker, turn.text) for turn in script.turns]


def exported(template: str) -> str:
    """The three lines of dialogue in a template with {0} for the name and {1} for the words."""
    return "\n".join(template.format(name, words) for name, words in TWO) + "\n"


@pytest.mark.parametrize(
    "template",
    [
        "{0}, [12.05.2024 21:03]\n{1}\n",
        "{0} 21:03: {1}",
        "{0} 5/12/24, 9:03 PM: {1}",
        "{0} — Today at 9:41 AM\n{1}",
        "{0} — Yesterday at 21:41\n{1}",
        "{0}  May 5, 2024 at 10:02 AM\n{1}\n",
        "[{0}] 10:02:15\n{1}\n",
        "0:09 - {0} (Acme)\n  {1}\n",
        "21:03 < {0}> {1}",
        "2024-05-12 21:03:11 <@{0}> {1}",
        "🎙️ **{0}:** {1}\n",
        "({0}) {1}",
        "{0} // {1}",
        "🦊 {0}: {1}",
        "{0} 🎧: {1}",
        "12/05/2024, 21:03 - {0}: {1}",
    ],
)
def test_exports_of_chats_and_meetings(template: str) -> None:
    assert said(exported(template)) == TWO


@pytest.mark.parametrize(
    "template",
    [
        "{0}.\n{1}\n",
        "{0}.\n[Rising.] {1}\n",
        "{0}.— {1}\n",
        "{0}. — {1}\n",
        "{0}. {1}\n",
        "{0} [picking up the lamp, which has been on the floor all the time, and looking for the oil] {1}\n",
    ],
)
def test_printed_plays(template: str) -> None:
    text = "\n".join(template.format(name.upper(), words) for name, words in TWO)
    assert said(text) == [(name.upper(), words) for name, words in TWO]


def test_a_repeated_sentence_in_capitals_is_prose() -> None:
    assert {speaker for speaker, _ in said("STOP IT.\nHe went on.\n\nIt rained.\n\nWAIT.\nHe did.")} == {
        "Narrator"
    }


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Mia: Is it lit? Rolf: Yes, since nine. Mia: Good.", 1),
        ("**Mia:** Is it lit? **Rolf:** Yes.", 1),
        ("Mia: Is it lit?\nRolf: Yes. Mia: Good.\nMia: Well.", 2),
        ("Q. Is it lit?\nA. Yes.\nMR. HOLM: Objection.\nQ. Since nine?\nA. Yes.", 3),
        ("Q. Is it lit?\nA. Yes.\nQ. Well?\nTHE COURT: Sustained.\nA. Yes.", 4),
        ("[1] The lamp is lit.\n[2] The oil is low.\n[3] The wick is new.", 1),
        ("1: Light the lamp.\n2: Trim the wick.\n3: Wait.", 1),
        ("21:03 - Mia: Is it lit?\n21:04 - Rolf: Yes.\n21:05 - the oil is low\n21:06 - Mia: Good.", 3),
        ('Mia,"Is it lit, then?"\nRolf,Yes.\nMia,Good.', 1),
        ('"Mia";"Is it; lit?"\n"Rolf";"Yes."', 1),
        ('Wer spricht;Worte\nMia;"Ist sie an; oder aus?"\nRolf;Ja.', 1),
        ('Here it is:\n\n```json\n[{"speaker": "Mia", "text": "Lit?"}]\n```', 3),
        ("Here it is:\n\n```\nMia: Lit?\nRolf: Yes.\nMia: Good.\n```", 1),
        ("Mia\nIs it lit?\n\nRolf\nYes.\n\nMia\nGood.", 1),
        ("#Mia\nIs it lit?\n#Rolf\nYes.\n#Mia\nGood.", 1),
        ("## Mia: Is it lit?\n## Rolf: Yes.\n## Mia: Good.", 1),
        ('Here it is:\n[{"speaker": "Mia", "text": "Lit?"}]', 2),
        ("[('Mia', 'Lit?'), ('Rolf', 'Yes.')]", 1),
        ("# Play\n\n| Character | Dialogue |\n|---|---|\n| Mia | Lit? |\n| Rolf | Yes. |", 3),
    ],
)
def test_what_would_be_misread_is_a_problem_at_its_line(text: str, line: int) -> None:
    assert line in [problem.line for problem in read(text).problems]


def test_system_messages_of_chats_are_left_out() -> None:
    text = "[21:03] <mia> lit?\n[21:04] * rolf nods\n[21:04] -!- ann has joined #lamps\n[21:05] <rolf> yes"
    assert said(text) == [("mia", "lit?"), ("rolf", "yes")]
    assert [omission.line for omission in read(text).omissions] == [2, 3]


def test_a_cast_as_a_list_is_no_yaml() -> None:
    text = "Characters:\n- Mia: a keeper, 40\n- Rolf: her brother\n\nMia: Lit?\nRolf: Yes.\nMia: Good."
    assert said(text) == [("Mia", "Lit?"), ("Rolf", "Yes."), ("Mia", "Good.")]


def test_names_of_many_words_and_of_voices() -> None:
    text = "Her Majesty the Queen of the Northern Isles: Lit?\nRolf: Yes.\n"
    people = {speaker for speaker, _ in said(text * 2)}
    assert people == {"Her Majesty the Queen of the Northern Isles", "Rolf"}
    text = "en-US-JennyNeural: Lit?\nen-US-GuyNeural: Yes.\n"
    assert {speaker for speaker, _ in said(text * 2)} == {"en-US-JennyNeural", "en-US-GuyNeural"}


@pytest.mark.parametrize(
    "text",
    [
        "The Lamp\nis lit again,\n\nThe Wick\nis new.",
        "Lamps\nLamps are lit at nine.\n\nThe keeper waits. He said ['a' or \"b\"].",
        "Read (see {x: y}) and [it], then [(one), two].",
        "## Oil: a history\n\nIt burns.\n\n## Wicks: a history\n\nThey glow.",
    ],
)
def test_prose_that_resembles_names_and_code_is_prose(text: str) -> None:
    assert {speaker for speaker, _ in said(text)} == {"Narrator"}


def test_hosts_and_lengths_are_a_title_block() -> None:
    text = "**Hosts:** Mia & Rolf\n**Duration:** 20 min\n\n**MIA:** Lit?\n\n**ROLF:** Yes.\n\n**MIA:** Good."
    assert {speaker for speaker, _ in said(text)} == {"MIA", "ROLF"}


def test_subtitles_of_youtube_studio() -> None:
    text = "0:00:01.000,0:00:03.000\nThe lamp is lit.\n\n0:00:03.500,0:00:05.000\nSince nine.\n"
    script = read(text)
    assert (script.form, [turn.text for turn in script.turns]) == ("srt", ["The lamp is lit.", "Since nine."])


def test_voices_are_speakers_where_nothing_else_is() -> None:
    text = '{"inputs": [{"text": "Lit?", "voice_id": "ab1"}, {"text": "Yes.", "voice_id": "xy2"}]}'
    assert said(text) == [("ab1", "Lit?"), ("xy2", "Yes.")]
    text = '[{"voice": "ab1", "speaker": "Mia", "text": "Lit?"}]'
    assert said(text) == [("Mia", "Lit?")]


@pytest.mark.parametrize(
    "text",
    [
        '{"title": "Lamps", "turns": [{"speaker": "Mia", "text": "Lit?"}]}',
        '{"scenes": [{"title": "Lamps", "lines": [{"speaker": "Mia", "text": "Lit?"}]}]}',
        "title: Lamps\nturns:\n  - speaker: Mia\n    text: Lit?\n",
    ],
)
def test_texts_beside_the_turns_are_reported(text: str) -> None:
    assert ["title" in notice.reason for notice in read(text).notices] == [True]


def test_characters_by_their_names_in_html() -> None:
    assert said("Mia: You &amp; I &#39;n&#39; all&nbsp;the rest &lt;3 AT&T;") == [
        ("Mia", "You & I 'n' all the rest <3 AT&T;")
    ]


def test_an_argument_behind_a_prime_is_no_footnote() -> None:
    assert said("If f'(2) is ten, it rises.") == [("Narrator", "If f'(2) is ten, it rises.")]


def test_placeholders_of_chats_are_left_out() -> None:
    assert said("Mia: Lit?\nRolf: <Media omitted>\nMia: Good.") == [("Mia", "Lit?"), ("Mia", "Good.")]
