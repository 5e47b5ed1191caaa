"""The same book in the other formats."""

import io
import zipfile
from collections import Counter

import pytest

from pipeline.books.reader import book_form, read, read_book, text_form
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


def test_marks_of_lists_and_quotations_within_a_line_are_read() -> None:
    text = "# One\n\nIt was - well - odd.\n\n5 > 3, in 1999. Then.\n\n> - A quoted item\n\n2. Two\n"
    blocks = read_book(text, "md").chapters[0].blocks
    assert [block.text for block in blocks[1:]] == [
        "It was - well - odd.",
        "5 > 3, in 1999. Then.",
        "A quoted item",
        "Two",
    ]


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


SETEXT = """The Lamp
========

A novel by Ann Author

Chapter One
-----------

It was **dark**.

| a | b |
|---|---|
| 1 | 2 |

Chapter Two
-----------

It ended[^1].

[^1]: A note.
"""


def test_underlined_headings_of_markdown_are_those_of_markdown() -> None:
    assert text_form(SETEXT) == "md"
    assert text_form("The Lamp\n========\n\nIt was dark.\n") == "text"
    book = read_book(SETEXT)
    assert book.left_out() == {"table": 1, "footnote": 1}
    assert [chapter.title for chapter in book.chapters] == ["The Lamp", "Chapter One", "Chapter Two"]


@pytest.mark.parametrize(
    "text", [SETEXT, "THE LAMP\n\nby Ann Author\n\nCHAPTER ONE\n\nIt was dark.\n\nII\n\nSo.\n"]
)
def test_a_title_with_its_author_is_front_matter(text: str) -> None:
    book = read_book(text)
    assert book.title.casefold() == "the lamp"
    assert [chapter.matter for chapter in book.chapters] == ["front matter", "", ""]


def test_the_end_is_no_chapter() -> None:
    book = read_book("CHAPTER ONE\n\nIt was dark.\n\nCHAPTER TWO\n\nIt ended.\n\nTHE END\n")
    assert [chapter.title for chapter in book.chapters] == ["CHAPTER ONE", "CHAPTER TWO"]
    assert book.chapters[-1].blocks[-1].text == "THE END"


def word_paragraphs(*texts: str) -> bytes:
    """DOCX without styles; texts between asterisks are bold."""

    def paragraph(text: str) -> str:
        bold = "<w:rPr><w:b/></w:rPr>" if text.startswith("*") else ""
        return f"<w:p><w:r>{bold}<w:t>{text.strip('*')}</w:t></w:r></w:p>"

    space = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    body = "".join(map(paragraph, texts))
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        document = f'<w:document xmlns:w="{space}"><w:body>{body}</w:body></w:document>'
        archive.writestr("word/document.xml", document)
    return data.getvalue()


@pytest.mark.parametrize(
    ("texts", "titles"),
    [
        (
            (
                "*The Lamp*",
                "By Ann",
                "*Chapter One*",
                "It was dark.",
                "*Later*",
                "So.",
                "*Chapter 2*",
                "Oh.",
                "It ended.",
            ),
            ["The Lamp", "Chapter One", "Chapter 2"],
        ),
        (
            ("*Dark Night*", "It was dark.", "*Bright Day*", "It was bright.", "It ended."),
            ["Dark Night", "Bright Day"],
        ),
        (("*Dark night.*", "It was dark.", "*It was bright!*", "It ended.", "So."), [""]),
        (("*One*", "*Two*", "*Three*", "It ended."), [""]),
    ],
)
def test_bold_paragraphs_are_headings_where_a_document_has_no_styles_for_them(
    texts: tuple[str, ...], titles: list[str]
) -> None:
    book = read_book(word_paragraphs(*texts))
    assert [chapter.title for chapter in book.chapters] == titles
    assert len(book.notices) == (len(titles) > 1)
