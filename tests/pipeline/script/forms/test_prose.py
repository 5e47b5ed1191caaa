"""Prose and Markdown."""

from collections import Counter

from pipeline.script.events import HEADING_REST_MS
from pipeline.script.parser import read

PAGE = """# Lamps

| Name | Height |
|------|-------:|
| Oil  | 90 cm  |
| Gas  | 120 cm |

Trim them *early*
------------------

- Fill them
- [x] Light them **well**
1. Watch them

> Nobody sleeps
> here.

```python
for lamp in tower:
    lamp.light()
```

***

See [the guide](https://example.org/guide).
"""


def test_markdown_is_read_without_its_marks() -> None:
    script = read(PAGE)
    assert (script.form, script.problems) == ("markdown", ())
    assert [turn.text for turn in script.turns] == [
        *("Lamps", "Name, Height.", "Oil, 90 cm.", "Gas, 120 cm.", "Trim them early", "Fill them"),
        *("Light them well", "1. Watch them", "Nobody sleeps here.", "See the guide."),
    ]
    omitted = Counter(omission.kind for omission in script.omissions)
    assert omitted == {
        "heading mark": 2,
        "table rule": 1,
        "emphasis mark": 2,
        "checkbox": 1,
        "code block": 1,
        "link address": 1,
    }
    assert next(o.words for o in script.omissions if o.kind == "code block") == 6


def test_headings_have_silence_around_them_but_not_at_the_ends() -> None:
    script = read("# One\n\nWords.\n\n## Two\n\nMore words.\n\n# Three\n")
    assert [turn.pause_ms for turn in script.turns] == [0, *[HEADING_REST_MS] * 4]


def test_a_chapters_heading_in_plain_prose_has_silence_around_it() -> None:
    script = read("Chapter One\n\nIt was dark.\n\nPart of it was not. Chapter 3 says so.")
    assert [turn.pause_ms for turn in script.turns] == [0, HEADING_REST_MS, 0]


def test_times_at_the_head_of_lines_are_left_out() -> None:
    script = read("[00:01] Welcome back.\n[00:05] Today we talk about lamps.\n(00:09) Bye.")
    assert " ".join(turn.text for turn in script.turns) == "Welcome back. Today we talk about lamps. Bye."
    assert script.problems == ()


def test_the_lines_of_a_dialogue_with_dashes_are_prose() -> None:
    text = "— Who is there? — she asked.\n— Only me."
    assert " ".join(turn.text for turn in read(text).turns) == text.replace("\n", " ")
