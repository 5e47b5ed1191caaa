import pytest

from pipeline.script.parser import parse


@pytest.mark.parametrize(
    ("text", "chapters", "turns"),
    [
        ("# One\n\nIt was late.\n\n## Part\n\nA lamp.\n\n# Two\n\nMorning.", [("One", 0), ("Two", 4)], 6),
        ("Chapter 1\n\nIt was late.\n\nChapter 2\n\nMorning came.", [("Chapter 1", 0), ("Chapter 2", 2)], 4),
        ("One\n===\n\nIt was late.\n\nSection\n-------\n\nMorning.", [("One", 0)], 4),
        ("Ann: Hi.\nBob: Yes.\n# Two\nAnn: Late.\n\n## No\n\nBob: Home.", [("Two", 2)], 4),
        ("# One\nAnn: Hi.\n# Empty\n# Two\nAnn: Late.\n# End", [("One", 0), ("Two", 1)], 2),
        ("Ann: Hi.\nBob: Yes.", [], 2),
    ],
)
def test_headings_of_the_first_level_begin_chapters(
    text: str, chapters: list[tuple[str, int]], turns: int
) -> None:
    script = parse(text)
    assert [(chapter.title, chapter.turn) for chapter in script.chapters] == chapters
    assert len(script.turns) == turns
