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


EXTRAS_YAML = """cast:
  Nora: {voice: heron, pace: 0.9, gain_db: -3, aliases: [Nora Fox, Mrs. Fox]}
  Bob:
    aliases: [Bobby]
    gain_db: 2.5
narration: Nora
quoted: finch
"""
EXTRAS_TOML = """narration = "Nora"
quoted = "finch"
[cast.Nora]
voice = "heron"
pace = 0.9
gain_db = -3
aliases = ["Nora Fox", "Mrs. Fox"]
[cast.Bob]
aliases = ["Bobby"]
gain_db = 2.5
"""


@pytest.mark.parametrize(("name", "text"), [("c.yaml", EXTRAS_YAML), ("c.toml", EXTRAS_TOML)])
def test_casts_have_paces_levels_aliases_and_roles(name: str, text: str) -> None:
    entries = {entry.name: entry for entry in read_cast(text, file=name)}
    assert {each: entries[each].given(entries[each].voice or None) for each in entries} == {
        "Nora": {"voice": "heron", "pace": 0.9, "gain_db": -3.0, "aliases": ["Nora Fox", "Mrs. Fox"]},
        "Bob": {"gain_db": 2.5, "aliases": ["Bobby"]},
        "Narrator": {"voice": "heron", "pace": 0.9, "gain_db": -3.0},
        "Quoted": "finch",
    }


FAULTS = """cast:
  Nora:
    pace: fast
    gain_db: 40
    aliases: Fox
  Bo: {pace: 9, mood: glad}
narrator: Nora
"""
FAULTS_TOML = """[cast.Nora]
voice = "wren"
pace = 1

[cast."Mr. Fox"]
pace = "slow"
aliases = ["Nora"]
"""


@pytest.mark.parametrize(
    ("name", "text", "reasons"),
    [
        (
            "c.yaml",
            FAULTS,
            [
                "line 3: pace is not a number ('Nora')",
                "line 4: gain_db 40 is not between -24 and 12 ('Nora')",
                "line 5: aliases of 'Nora' is not a list of names",
                "line 6: pace 9 is not between 0.25 and 4 ('Bo')",
                "line 6: unknown key 'mood' of 'Bo'; there are voice, pace, gain_db, aliases",
                "line 7: unknown key 'narrator' beside 'cast'; there are narration, quoted",
            ],
        ),
        (
            "c.toml",
            FAULTS_TOML,
            [
                "line 6: pace is not a number ('Mr. Fox')",
                "line 5: alias 'Nora' is a name of 'Nora' on line 1",
            ],
        ),
        (
            "c.toml",
            "[cast]\nNora = {pace = true}\nBo = {gain_db = nan}\n",
            ["line 2: pace", "line 3: gain"],
        ),
        (
            "c.yaml",
            "A: {aliases: [C]}\nB: {aliases: [c]}\n",
            ["line 2: alias 'c' is a name of 'A' on"],
        ),
        ("c.yaml", "cast: {Narrator: wren, A: finch}\nnarration: A\n", ["line 2: 'Narrator' is already on"]),
    ],
)
def test_faults_of_extras_are_named_with_their_lines(name: str, text: str, reasons: list[str]) -> None:
    with pytest.raises(OptionError) as caught:
        read_cast(text, file=name)
    for reason in reasons:
        assert reason in caught.value.reason
