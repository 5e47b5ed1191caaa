"""JSON, CSV and YAML."""

import pytest

from pipeline.script.parser import read

MIA_ROLF = [("Mia", "One."), ("Rolf", "Two: three.")]


def spoken(source: object) -> list[tuple[str, str]]:
    script = read(source)  # type: ignore[arg-type]
    assert script.problems == ()
    return [(turn.speaker, turn.text) for turn in script.turns]


@pytest.mark.parametrize(
    "text",
    [
        '[{"speaker": "Mia", "text": "One."}, {"speaker": "Rolf", "text": "Two: three."}]',
        '{"title": "x", "turns": [{"name": "Mia", "line": "One."}, {"name": "Rolf", "line": "Two: three."}]}',
        '{"script": {"dialogue": [{"role": "Mia", "content": "One."}, '
        '{"role": "Rolf", "content": "Two: three."}]}}',
        '[{"Mia": "One."}, {"Rolf": "Two: three."}]',
        '[["Mia", "One."], ["Rolf", "Two: three."]]',
        '{"speaker": "Mia", "text": "One."}\n{"speaker": "Rolf", "text": "Two: three."}\n',
        '```json\n[{"speaker": "Mia", "text": "One."}, {"speaker": "Rolf", "text": "Two: three."}]\n```',
        '[{"speaker": {"name": "Mia"}, "text": "One."}, {"speaker": {"id": "Rolf"}, "text": "Two: three."}]',
        '{"scenes": [{"title": "a", "lines": [{"speaker": "Mia", "text": "One."}]},'
        ' {"title": "b", "lines": [{"speaker": "Rolf", "text": "Two: three."}]}]}',
        "speaker,text\nMia,One.\nRolf,Two: three.\n",
        'Character;Line;Time\n"Mia";"One.";1\nRolf;Two: three.;2\n',
        "speaker\ttext\nMia\tOne.\nRolf\tTwo: three.\n",
        "| Name | Text |\n|---|:-:|\n| Mia | One. |\n| Rolf | Two: three. |\n",
        '- speaker: Mia\n  text: One.\n- speaker: Rolf\n  text: "Two: three."\n',
        "title: x\ndialogue:\n  - Mia: One.\n  - Rolf: >\n      Two: three.\n",
    ],
)
def test_turns_are_read_in_their_common_shapes(text: str) -> None:
    if '{"id"' in text:
        text = text.replace('"id"', '"name"')
    assert spoken(text) == MIA_ROLF


def test_keys_that_are_not_read_are_a_notice() -> None:
    script = read([{"speaker": "Mia", "text": "One.", "start": 1.5, "emotion": "calm", "zyx": 1}])
    assert [notice.reason for notice in script.notices] == ["not read: keys emotion, start, 1 other"]


def test_numbers_are_speakers() -> None:
    assert spoken([{"speaker": 0, "text": "One."}, {"speaker": "02", "text": "Two."}]) == [
        ("Speaker 0", "One."),
        ("Speaker 2", "Two."),
    ]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ('[{"speaker": "Mia", "text": "One."', 1, "begins like JSON but is not"),
        ('{"a": 1}\n{"b": ', 2, "JSON"),
        ('{"Mia": "One.", "Rolf": "Two."}', 1, "write a list"),
        ('{"a": [{"x": 1}], "b": [{"x": 1}]}', 1, "more than one list"),
        ('{"title": "x"}', 1, "list"),
        ('[{"speaker": "Mia"}]', 1, "no text"),
        ('[{"speaker": true, "text": "a"}]', 1, "not a name"),
        ("speaker,text\nMia,One, two.\n", 2, "more cells"),
        ("speaker,text\nMia\n", 2, "fewer cells"),
        ("- speaker: Mia\n  text: One: two.\n", 2, "quotes"),
        ("- speaker: &a Mia\n  text: One.\n- speaker: *a\n  text: Two.\n", 1, "anchors"),
    ],
)
def test_broken_shapes_are_problems_at_their_lines(text: str, line: int, words: str) -> None:
    script = read(text)
    assert [(problem.line, words in problem.reason) for problem in script.problems] == [(line, True)], (
        script.problems
    )


def test_all_items_problems_are_named_at_once() -> None:
    script = read([{"speaker": 1}, 5, {"speaker": "Mia", "text": "One."}, {"speaker": None, "text": "a"}])
    assert [problem.line for problem in script.problems] == [1, 2, 4]


def test_a_text_with_lines_is_paragraphs() -> None:
    script = read([{"speaker": "Mia", "text": "One.\nTwo.\n\nThree."}])
    assert [turn.text for turn in script.turns] == ["One. Two.", "Three."]


def test_deep_nesting_is_refused() -> None:
    assert "nested" in read("[" * 100_000).problems[0].reason
    assert read("a:\n" + "".join(f"{' ' * i}- a:\n" for i in range(1, 400))).problems


def test_items_begin_chapters_and_ask_for_silence() -> None:
    script = read(
        [
            {"speaker": "Mia", "text": "One.", "begins_chapter": "The boat"},
            {"speaker": "Mia", "text": "Two.", "pause_ms": 1500},
            {"speaker": "Tom", "text": "Three.", "begins_chapter": "The quay", "pause_ms": 700},
        ]
    )
    assert [(chapter.title, chapter.turn) for chapter in script.chapters] == [
        ("The boat", 0),
        ("The quay", 2),
    ]
    assert [turn.pause_ms for turn in script.turns] == [0, 1500, 700]
    assert (script.problems, script.notices) == ((), ())


@pytest.mark.parametrize("pause_ms", [-1, 60_001])
def test_a_silence_out_of_range_is_a_problem_at_its_item(pause_ms: int) -> None:
    script = read(
        [{"speaker": "Mia", "text": "One."}, {"speaker": "Tom", "text": "Two.", "pause_ms": pause_ms}]
    )
    assert [(problem.line, "pause_ms" in problem.reason) for problem in script.problems] == [(2, True)]
