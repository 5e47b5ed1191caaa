import pytest

from pipeline.engines.hibari.engine import Hibari
from pipeline.errors import OptionError, VoiceError
from pipeline.planning.request import JobOptions, checked, split_options
from pipeline.script.parser import parse
from pipeline.store.artifacts import Store
from pipeline.voices.library import Voices

HALF = "\ud83d"
"""Of an emoji: Python and JSON hold it, UTF-8 can't."""


@pytest.mark.parametrize("name", ["title", "engine", "model", "format", "on_error", "device", "x"])
def test_an_option_with_half_a_character_is_refused(name: str) -> None:
    with pytest.raises(OptionError, match=f"{name}.*half a character"):
        split_options({name: f"a {HALF}"}, engine="hibari")


@pytest.mark.parametrize("title", ["a\nb", "a\0", "x" * 201])
def test_a_title_that_a_file_cannot_hold_is_refused(title: str) -> None:
    with pytest.raises(OptionError, match="title"):
        split_options({"title": title}, engine="hibari")


@pytest.mark.parametrize("voices", [{"Alice": HALF}, {HALF: "wren"}])
def test_a_voice_with_half_a_character_is_refused_in_words_that_can_be_written(
    voices: dict[str, str], store: Store
) -> None:
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
