import pytest

from pipeline.engines.hibari.engine import Hibari
from pipeline.errors import OptionError, VoiceError
from pipeline.planning.request import JobOptions, checked, split_options
from pipeline.script.parser import parse
from pipeline.store.artifacts import Store
from pipeline.voices.library import Voices

HALF = "\ud83d"
"""Half of an emoji, which Python and JSON can represent and UTF-8 cannot."""


@pytest.mark.parametrize("name", ["title", "engine", "model", "format", "on_error", "device", "x"])
def test_options_with_unpaired_surrogates_are_refused(name: str) -> None:
    with pytest.raises(OptionError, match=f"{name}.*unpaired surrogate"):
        split_options({name: f"a {HALF}"}, engine="hibari")


@pytest.mark.parametrize("title", ["a\nb", "a\0", "x" * 201])
def test_invalid_titles_are_refused(title: str) -> None:
    with pytest.raises(OptionError, match="title"):
        split_options({"title": title}, engine="hibari")


@pytest.mark.parametrize("voices", [{"Alice": HALF}, {HALF: "wren"}])
def test_voices_with_unpaired_surrogates_are_refused_printably(voices: dict[str, str], store: Store) -> None:
    with pytest.raises(VoiceError) as found:
        checked(
            parse("Alice: Hi."),
            voices,
            JobOptions("hibari"),
            {},
            engine=Hibari(),
            registered=Voices(store),
        )
    assert str(found.value).encode()


def test_all_problems_of_options_are_named_at_once() -> None:
    given = {"format": "avi", "seed": -1, "title": "x" * 300, "device": 7, "pace": [1], "on_error": "\ud800"}
    with pytest.raises(OptionError) as refused:
        split_options(given, engine="hibari")
    assert {option for option, _ in refused.value.problems} == given.keys()
    assert str(refused.value).count("\n") == len(given) - 1
    again = OptionError(*refused.value.args)
    assert (str(again), again.problems) == (str(refused.value), refused.value.problems)


def test_long_values_are_cut_in_messages() -> None:
    with pytest.raises(OptionError) as refused:
        split_options({"format": "word " * 1000, "x" * 1000: None}, engine="hibari")
    assert len(str(refused.value)) < 400
