import pytest

from pipeline.errors import OptionError
from pipeline.planning.cast_file import CastEntry, read_cast

YAML = """# who speaks
cast:
  Nora: heron
  Mr. Fox: {voice: recordings/fox.wav}
  1: wren

  "Yes":
    voice: "finch"
"""
TOML = """# who speaks
[cast]
Nora = "heron"
"Mr. Fox" = {voice = "recordings/fox.wav"}
1 = 'wren'

[cast.Yes]
voice = "finch"
"""
JSON = """{"cast": {"Nora": "heron",
"Mr. Fox": {"voice": "recordings/fox.wav"},
"1": "wren", "Yes": {"voice": "finch"}}}"""
VOICES = {"Nora": "heron", "Mr. Fox": "recordings/fox.wav", "1": "wren", "Yes": "finch"}


@pytest.mark.parametrize(
    ("name", "text", "lines"),
    [
        ("cast.yaml", YAML, [3, 4, 5, 7]),
        ("cast.toml", TOML, [3, 4, 5, 7]),
        ("cast.json", JSON, [1, 2, 3, 3]),
        ("cast.yml", YAML.replace("cast:\n", "").replace("\n  ", "\n"), None),
        ("CAST.TOML", TOML.replace("[cast]", "").replace("[cast.Yes]", "[Yes]"), None),
    ],
)
def test_casts_are_read_with_their_lines(name: str, text: str, lines: list[int] | None) -> None:
    entries = read_cast(text, file=name)
    assert {entry.name: entry.voice for entry in entries} == VOICES
    if lines:
        assert [entry.line for entry in entries] == lines


def test_a_speaker_may_be_called_cast() -> None:
    assert read_cast("cast: wren\n", file="c.yaml") == [CastEntry("cast", "wren", 1)]
    assert read_cast("cast: {voice: wren}\n", file="c.yaml") == [CastEntry("cast", "wren", 1)]


@pytest.mark.parametrize(
    ("name", "text", "reasons"),
    [
        ("c.yaml", "", ["line 1: has no speakers"]),
        ("c.yaml", "- Nora\n- Bo\n", ["line 1: is not a mapping"]),
        ("c.yaml", "Nora: heron\nBo: [a\n", ["line 3: not YAML"]),
        ("c.yaml", "Nora: \x00\n", ["not YAML"]),
        (
            "c.yaml",
            "Nora:\nBo: [wren]\nCy: ~\n",
            ["line 1: 'Nora' has no voice", "line 2: 'Bo' has", "line 3: 'Cy' has"],
        ),
        ("c.yaml", "cast:\n  Nora: wren\nmood: glad\n", ["line 3: unknown key 'mood' beside 'cast'"]),
        ("c.yaml", "Nora: {voice: wren, mood: glad}\n", ["line 1: unknown key 'mood' of 'Nora'"]),
        ("c.yaml", "Nora: wren\nNORA: heron\n", ["line 2: 'NORA' is already on line 1"]),
        ("c.toml", 'Nora = "wren"\nBo = \n', ["line 2: not TOML"]),
        ("c.toml", 'Nora = "wren"\nBo = 7\n', ["line 2: 'Bo' has no voice"]),
        ("c.toml", '[cast.Nora]\nvoice = "wren"\nmood = 1\n', ["line 3: unknown key 'mood' of 'Nora'"]),
    ],
)
def test_faults_are_named_with_their_lines_at_once(name: str, text: str, reasons: list[str]) -> None:
    with pytest.raises(OptionError) as caught:
        read_cast(text, file=name)
    assert caught.value.option == "cast"
    for reason in reasons:
        assert reason in caught.value.reason
