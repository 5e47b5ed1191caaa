import pytest

from pipeline.script.languages import foreign_turns, language_of
from pipeline.script.turns import Turn


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("de", "Guten Abend, ich habe heute keine Zeit für dich."),
        ("fr", "Bonjour, je ne suis pas d'ici, et vous?"),
        ("es", "Buenos días, no tengo nada que decir."),
        ("it", "Buongiorno, non ho niente da dire a lui."),
        ("pt", "Bom dia, eu não tenho nada para você."),
        ("nl", "Goedenavond, ik heb vandaag geen tijd voor jou."),
        ("sv", "God kväll, jag har inte tid med dig idag."),
        ("pl", "Dzień dobry, nie mam czasu dla ciebie."),
        ("en", "Good evening, I have no time for you today."),
    ],
)
def test_a_language_is_known_by_its_commonest_words(language: str, text: str) -> None:
    assert language_of(text) == language


@pytest.mark.parametrize(
    "text",
    [
        "Oslo!",
        "No, no, no.",
        "Die Hard was on at one.",
        "The rose is red and the sun was in it.",
        "Madame Bovary, c'est moi.",
    ],
)
def test_short_and_mixed_texts_are_no_foreign_language(text: str) -> None:
    assert language_of(text) in (None, "en")


def test_a_foreign_turn_is_a_notice_at_its_line() -> None:
    turns = [
        Turn("Ann", "It was late and we were tired.", 1),
        Turn("Ben", "Ich bin auch sehr müde, und du?", 2),
    ]
    found = foreign_turns(turns, ("en",))
    assert [(notice.line, notice.reason) for notice in found] == [
        (2, "seems to be German; the engine speaks English")
    ]
    assert foreign_turns(turns, ("en", "de")) == []
