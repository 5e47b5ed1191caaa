"""Marks within lines: left out and counted, or obeyed, or a problem."""

from collections import Counter

import pytest

from pipeline.script.parser import read

SCRIPT = "Mia: {}\nRolf: Yes.\nMia: Good."


def said(words: str, *, form: str | None = None) -> str:
    """The words of a first turn, in a script with speakers."""
    script = read(SCRIPT.format(words), form=form)
    assert script.problems == ()
    return " ".join(turn.text for turn in script.turns if turn.line == 1)


def prose(text: str) -> str:
    script = read(text, form="prose")
    assert script.problems == ()
    return " ".join(turn.text for turn in script.turns)


def omitted(text: str, form: str | None = None) -> Counter[str]:
    return Counter(omission.kind for omission in read(text, form=form).omissions)


@pytest.mark.parametrize(
    ("words", "heard"),
    [
        ("[laughs] That is new.", "That is new."),
        ("That is [softly] new.", "That is new."),
        ("{whispering} That is new.", "That is new."),
        ("(sighs) That is new.", "That is new."),
        ("(to Rolf) That is new.", "That is new."),
        ("That (coughs) is new.", "That is new."),
        ("That is new. (Laughs.) Really.", "That is new. Really."),
        ("*sighs* That is new.", "That is new."),
        ("That is new. *grabs the lamp* Here.", "That is new. Here."),
        ("*(laughing)* That is new.", "That is new."),
        ("_sighs_ That is new.", "That is new."),
        ("That is new [beat].", "That is new ."),
    ],
)
def test_directions_are_left_out(words: str, heard: str) -> None:
    assert said(words) == heard
    assert omitted(SCRIPT.format(words))["stage direction"] == 1


@pytest.mark.parametrize(
    "words",
    [
        "The lamp (which was old) went out.",
        "We won. (She is my sister.) She won.",
        "I have two points: (a) oil and (b) wicks.",
        "It cost 5 (five) coins.",
    ],
)
def test_other_parentheses_are_spoken(words: str) -> None:
    assert said(words) == words


@pytest.mark.parametrize(
    "text",
    ["The lamp (laughing) went out.", "He met [the king] there.", "Use {braces} here.", "(It was late.)"],
)
def test_prose_has_no_stage_directions_but_sounds_in_brackets(text: str) -> None:
    assert prose(text) == text
    assert prose("[door slams] It was late.") == "It was late."


@pytest.mark.parametrize(
    ("words", "heard"),
    [
        ("Trim it *early*.", "Trim it early."),
        ("Trim it **well**, ***please***.", "Trim it well, please."),
        ("*Never* do that, _ever_.", "Never do that, ever."),
        ("Use `trim` and ~~oil~~ water.", "Use trim and oil water."),
        ("See [the guide](https://example.org/a_(b)?x=1) now.", "See the guide now."),
        ("See [the guide][1] now.", "See the guide now."),
        ("My [friend](/frend/) says so.", "My friend says so."),
        ("See ![a lamp](lamp.png) here.", "See here."),
        ("Write to <me@example.org> or <https://example.org>.", "Write to or ."),
        ("It is <b>very</b> <em>old</em>.", "It is very old."),
        ('It is <span class="x">old</span><br/>', "It is old"),
        ("It is <!-- really --> old.", "It is old."),
        (r"It is \*not\* a \[mark\].", "It is *not* a [mark]."),
        ("2 * 3 * 4 is 24, snake_case_name stays.", "2 * 3 * 4 is 24, snake_case_name stays."),
        ("If a < b and c > d then stop.", "If a < b and c > d then stop."),
    ],
)
def test_markup_is_not_read(words: str, heard: str) -> None:
    assert said(words) == heard


@pytest.mark.parametrize(
    ("text", "heard"),
    [
        ("It came from the east.¹ It stayed.²³", "It came from the east. It stayed."),
        ("The city[2] and the port [3, 4] grew.", "The city and the port grew."),
        ("It was sold by monks,(3) who left.", "It was sold by monks, who left."),
        ("A claim[^1] and another.†", "A claim and another."),
        ("The lighthouse¹ is old.", "The lighthouse is old."),
        ("It is 5 m², or 10³ g, and E=mc².", "It is 5 m², or 10³ g, and E=mc²."),
        ("Water is H₂O.", "Water is H₂O."),
    ],
)
def test_footnote_marks_are_not_read_and_exponents_stay(text: str, heard: str) -> None:
    assert prose(text) == heard
    assert bool(omitted(text, "prose")["footnote mark"]) == (text != heard)


def test_footnotes_and_link_definitions_below_are_left_out() -> None:
    text = 'A claim[^1].\n\n[^1]: Said by nobody.\n[2]: https://example.org/x "A page"\n\nThe end.'
    assert prose(text) == "A claim. The end."


@pytest.mark.parametrize(
    ("text", "heard"),
    [
        (
            "A deep emo-\ntional bond, re-\nturning ev-\nery morn-\ning.",
            "A deep emotional bond, returning every morning.",
        ),
        ("A well-\nknown and self-\nmade man.", "A well-known and self-made man."),
        ("Soft hy\u00ad\nphens too.", "Soft hyphens too."),
        ("Two years -\nor three.", "Two years - or three."),
        ("The Smith-\nJones family.", "The Smith- Jones family."),
    ],
)
def test_words_parted_at_the_end_of_a_line_are_joined(text: str, heard: str) -> None:
    assert prose(text) == heard


def test_a_joined_word_keeps_the_lines_of_those_behind_it() -> None:
    script = read("Mia: One emo-\ntional \x07 bond.\nRolf: Two.\nMia: Three.")
    assert [problem.line for problem in script.problems] == [2]


def test_pauses_are_obeyed_however_they_are_written() -> None:
    script = read(SCRIPT.format('One.<break time="1.5s"/>Two.[pause: 300ms] Three.[pause] Four.'))
    first = [(turn.text, turn.pause_ms) for turn in script.turns if turn.line == 1]
    assert first == [("One.", 0), ("Two.", 1500), ("Three. Four.", 300)]


@pytest.mark.parametrize(
    "command", ["[pitch:high]", "[style: sad]", '<audio src="x.mp3">', '<lang xml:lang="de">']
)
def test_commands_that_are_not_obeyed_are_a_problem(command: str) -> None:
    script = read(SCRIPT.format(f"{command} Hello."))
    assert [problem.line for problem in script.problems] == [1]


def test_a_turn_of_directions_alone_is_no_problem() -> None:
    script = read("Mia: (sighs)\nRolf: [laughs].\nMia: *nods*\nRolf: Well.")
    assert script.problems == ()
    assert [(turn.speaker, turn.text) for turn in script.turns] == [("Rolf", "Well.")]


def test_what_is_left_out_keeps_its_words() -> None:
    script = read(SCRIPT.format("(to the old man) Hello [door opens]."))
    assert [(omission.line, omission.words) for omission in script.omissions] == [(1, 2), (1, 4)] or [
        omission.words for omission in script.omissions
    ] == [2, 4]
