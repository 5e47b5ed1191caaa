"""The same book in the other formats."""

from collections import Counter

import pytest

from pipeline.books.reader import book_form, read, read_book
from pipeline.errors import OptionError, ScriptError
from tests.books import samples
from tests.books.other_forms import TITLES, docx, html, markdown, plain


@pytest.mark.parametrize(
    "source", [markdown(), html(), html().encode(), docx()], ids=["md", "str", "html", "docx"]
)
def test_chapters_and_metadata_are_read(source: str | bytes) -> None:
    book = read_book(source)
    assert (book.title, book.authors, book.language) == (samples.TITLE, (samples.AUTHOR,), "en")
    assert [(chapter.title, chapter.matter) for chapter in book.chapters] == [
        (samples.TITLE, "front matter"),
        *((title, "") for title in TITLES),
    ]
    for number, chapter in enumerate(book.chapters[1:]):
        texts = [block.text for block in chapter.blocks if block.kind == "text"]
        assert texts[: len(samples.paragraphs(number))] == list(samples.paragraphs(number))


def test_plain_text_has_chapters_by_headings() -> None:
    book = read_book(plain())
    assert [(chapter.title, chapter.matter) for chapter in book.chapters] == [
        ("", ""),
        *((title.upper(), "") for title in TITLES),
        ("Project Gutenberg License", "back matter"),
    ]


@pytest.mark.parametrize(
    ("source", "counts"),
    [
        (markdown(), {"table": 1, "code block": 1, "footnote": 1}),
        (html(), {"table": 1}),
        (docx(), {"table": 1, "image caption": 1, "footnote": 3, "footnote mark": 3}),
    ],
)
def test_what_is_left_out_is_counted(source: str | bytes, counts: dict[str, int]) -> None:
    assert read_book(source).left_out() == counts


def test_marks_of_markdown_are_not_read() -> None:
    script = read(markdown(), chapters="4")
    assert [turn.text for turn in script.turns][-2:] == ["The end", "of it"]
    assert Counter(omission.kind for omission in script.omissions)["footnote mark"] == 1


def test_text_is_a_book_if_chapters_are_chosen() -> None:
    assert book_form(markdown()) is None
    assert read(markdown()).form == "markdown"
    chosen = read(markdown(), chapters="3")
    assert (chosen.form, [chapter.title for chapter in chosen.chapters]) == ("md", [TITLES[1]])
    assert read(plain(), form="text").chapters[1].title == TITLES[0].upper()


def test_parts_and_chapters_of_markdown() -> None:
    text = "# Part One\n\n## The Harbour\n\nA.\n\n## The Stair\n\nB.\n\n# Part Two\n\n## The Lamp\n\nC.\n"
    titles = [chapter.title for chapter in read_book(text).chapters]
    assert titles == ["Part One: The Harbour", "The Stair", "Part Two: The Lamp"]


def test_text_without_headings_is_one_chapter() -> None:
    assert [chapter.words for chapter in read_book("It was late.\n\nNora came home.").chapters] == [6]


def test_the_encoding_of_text_is_given() -> None:
    data = "Chapter 1\n\nGrüße an alle.\n\nChapter 2\n\nEnde.".encode("windows-1252")
    with pytest.raises(ScriptError, match="is not UTF-8"):
        read_book(data)
    assert read_book(data, encoding="windows-1252").chapters[0].blocks[1].text == "Grüße an alle."
    with pytest.raises(OptionError):
        read_book(data, encoding="no-such")
