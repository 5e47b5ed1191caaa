import pytest

from pipeline.books.quotes import parted
from pipeline.books.reader import read
from tests.books import samples


def test_quoted_speech_has_a_speaker_of_its_own_if_it_has_a_voice() -> None:
    alone, both = read(samples.epub(3)), read(samples.epub(3), cast=["quoted"])
    assert alone.speakers == ("Narrator",)
    assert [(turn.speaker, turn.text) for turn in both.turns][:6] == [
        ("Narrator", "Chapter One: The Harbour"),
        ("Narrator", "The harbour was quiet when Nora came down to the water."),
        ("Quoted", '"You are late,"'),
        ("Narrator", "said Mr. Fox."),
        ("Quoted", '"The boat has gone."'),
        ("Quoted", '"Then I will wait for the next one,"'),
    ]
    assert both.words == alone.words
    assert both.problems == ()
    assert [chapter.title for chapter in both.chapters] == list(samples.CHAPTERS)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("It was late.", [("Narrator", "It was late.")]),
        ('"Go," he said.', [("Quoted", '"Go,"'), ("Narrator", "he said.")]),
        ("“No end of it", [("Quoted", "“No end of it")]),
        ("“A lamp”", [("Quoted", "“A lamp”")]),
        ("He said “Go”.", [("Narrator", "He said “Go”.")]),
        ("He said “Go!”.", [("Narrator", "He said"), ("Quoted", "“Go!”.")]),
        ("«Va,» dit-il.", [("Quoted", "«Va,»"), ("Narrator", "dit-il.")]),
    ],
)
def test_paragraphs_are_parted(text: str, parts: list[tuple[str, str]]) -> None:
    assert parted(text) == parts
