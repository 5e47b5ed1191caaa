from pathlib import Path
from typing import Any

import pytest

from pipeline.engines.hibari.engine import Hibari
from pipeline.errors import OptionError
from pipeline.planning.lexicon import Lexicon, read_lexicon
from pipeline.planning.pronunciation import Pronunciation
from pipeline.planning.request import JobOptions, Request, checked
from pipeline.planning.segmenter import plan
from pipeline.script.parser import parse
from pipeline.store.artifacts import Store
from pipeline.voices.library import Voices


@pytest.mark.parametrize(
    ("entries", "text", "spoken"),
    [
        ({"Nuala": "Noola"}, "Nuala, nuala and NUALA's; Nualas", "Noola, Noola and Noola's; Nualas"),
        ({"US": {"say": "U S", "case": True}}, "Tell us about the US.", "Tell us about the U S."),
        ({"St. Ives": "Saint Ives", "St": "Street"}, "St. Ives, High St", "Saint Ives, High Street"),
        ({"New York": "Noo Yawk"}, "New  York is new.", "Noo Yawk is new."),
        (
            {"read": [{"say": "red", "after": ["had", "have"]}, {"say": "reed"}]},
            "I had read it. I read.",
            "I had red it. I reed.",
        ),
        ({"lead": {"say": "led", "before": ["pipe"]}}, "A lead pipe, a lead.", "A led pipe, a lead."),
        ({"a b": "x", "b c": "y"}, "a b c", "x c"),
        ({"C++": "see plus plus"}, "I like C++.", "I like see plus plus."),
        ({}, "Nothing.", "Nothing."),
    ],
)
def test_words_are_respelt(entries: dict[str, Any], text: str, spoken: str) -> None:
    assert Lexicon(entries).respelt(text) == spoken


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ({"Nuala": ""}, "no respelling or IPA"),
        ({"Nuala": {"spell": True}}, "unknown keys spell"),
        ({"Nuala": {"ipa": "nuːlə", "say": "Noola"}}, "or both"),
        ({"Nuala": {"ipa": "//"}}, "no respelling or IPA"),
        ({"Nuala": {"say": "x", "case": "yes"}}, "neither true nor false"),
        ({"Nuala": {"say": "x", "after": ["two words"]}}, "lists of single words"),
        ({"...": "x"}, "does not begin with a word"),
        ({"N.*a": "x"}, "is no word or phrase; regular expressions are not read"),
        ({"colou?r|col(ou)?r": "x"}, "regular expressions are not read"),
        ({str(number): "x" for number in range(5001)}, "more than 5,000 entries"),
    ],
)
def test_wrong_entries_are_named(entries: dict[str, Any], reason: str) -> None:
    with pytest.raises(OptionError, match=reason):
        Lexicon(entries)


def test_a_word_that_is_twice_in_a_file_is_named_with_its_lines(tmp_path: Path) -> None:
    path = tmp_path / "words.yaml"
    path.write_text("Nuala: Noola\nread: [{say: red, after: [had]}, {say: reed}]\nNuala: Nulla\n")
    with pytest.raises(OptionError, match="line 3: 'Nuala' is already on line 1"):
        read_lexicon(path)
    path.write_text("{Nuala: Noola, Nuala: Nulla}")
    with pytest.raises(OptionError, match="line 1: 'Nuala' is already on line 1"):
        read_lexicon(path)


def test_files_are_yaml_or_toml(tmp_path: Path) -> None:
    for name, text in (
        ("a.yaml", "Nuala: Noola"),
        ("a.toml", 'Nuala = "Noola"'),
        ("a.json", '{"Nuala": "Noola"}'),
    ):
        (tmp_path / name).write_text(text)
        assert read_lexicon(tmp_path / name) == {"Nuala": "Noola"}
    (tmp_path / "b.yaml").write_text("- Nuala")
    with pytest.raises(OptionError, match="not a mapping"):
        read_lexicon(tmp_path / "b.yaml")


def test_only_segments_that_have_the_word_change(tmp_path: Path) -> None:
    lines = [
        f"Number {number} is about the sea and the boats that lie on it for a while." for number in range(40)
    ]
    lines[25] += " Nuala came."
    script, engine, voices = parse("\n\n".join(lines)), Hibari(), Voices(Store(str(tmp_path)))

    def request(entries: dict[str, Any]) -> Request:
        options = JobOptions(engine="hibari")
        pronunciation = Pronunciation(Lexicon(entries))
        return checked(script, {}, options, {}, engine=engine, registered=voices, pronunciation=pronunciation)

    def keys(made: Request) -> set[str]:
        speakers = {speaker.name: speaker.hash for speaker in made.speakers}
        segments = plan(made.spoken_turns, engine.profile, speakers=speakers, identity={})
        return {segment.key for segment in segments}

    plain, other, again = request({}), request({"Nuala": "Noola"}), request({"Nobody": "x"})
    assert again.job == plain.job != other.job
    assert len(keys(plain)) > 2
    assert len(keys(other) - keys(plain)) == 1
    assert other.written == {25: script.turns[25].text}
