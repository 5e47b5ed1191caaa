"""The same book in the other formats."""

import io
import zipfile
from collections import Counter
from xml.sax.saxutils import escape

import pytest

from pipeline.books.reader import book_form, read, read_book
from pipeline.errors import OptionError, ScriptError
from tests.books import samples

TITLES = list(samples.CHAPTERS)


def markdown() -> str:
    chapters = "\n\n".join(
        f"## {title}\n\n" + "\n\n".join(samples.paragraphs(number)) for number, title in enumerate(TITLES)
    )
    return (
        f"---\ntitle: {samples.TITLE}\nauthor: {samples.AUTHOR}\nseries: {samples.SERIES}\nlang: en\n---\n"
        f"# {samples.TITLE}\n\n{chapters}\n\n| Step | Voice |\n|---|---|\n| One | Low |\n\n"
        "```\n10 GOTO 10\n```\n\n---\n\n- The *end*[^1]\n- of it\n\n[^1]: It was a Tuesday.\n"
    )


def html() -> str:
    chapters = "".join(
        f"<h2>{title}</h2>" + "".join(f"<p>{text}" for text in samples.paragraphs(number))
        for number, title in enumerate(TITLES)
    )
    head = f"<head><title>{samples.TITLE}</title><meta name='author' content='{samples.AUTHOR}'></head>"
    return (
        f"<!DOCTYPE html>\n<html lang='en'>{head}<body><h1>{samples.TITLE}</h1>{chapters}"
        "<table><tr><td>Step<td>Voice</table><script>alert(1)</script></body></html>"
    )


def plain() -> str:
    chapters = "\n\n\n".join(
        f"{title.upper()}\n\n" + "\n\n".join(samples.paragraphs(number))
        for number, title in enumerate(TITLES)
    )
    return (
        "The Project Gutenberg eBook\n\n*** START OF THE PROJECT GUTENBERG EBOOK ***\n\n"
        f"{chapters}\n\n*** END OF THE PROJECT GUTENBERG EBOOK ***\n\nA licence of many words.\n"
    )


def docx() -> bytes:
    def paragraph(text: str, style: str = "", extra: str = "") -> str:
        properties = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
        return f"<w:p>{properties}<w:r><w:t>{escape(text)}</w:t></w:r>{extra}</w:p>"

    note = '<w:r><w:footnoteReference w:id="2"/></w:r><w:del><w:r><w:delText>Gone</w:delText></w:r></w:del>'
    body = paragraph(samples.TITLE, "Titel")
    for number, title in enumerate(TITLES):
        body += paragraph(title, "berschrift1")
        body += "".join(
            paragraph(text, extra=note if number == 2 else "") for text in samples.paragraphs(number)
        )
    body += f"<w:tbl><w:tr><w:tc>{paragraph('Step')}</w:tc></w:tr></w:tbl>{paragraph('A stair', 'Caption')}"
    namespace = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    styles = "".join(
        f'<w:style w:styleId="{own}"><w:name w:val="{name}"/></w:style>'
        for own, name in (("Titel", "Title"), ("berschrift1", "heading 1"), ("Caption", "caption"))
    )
    core = (
        '<c:coreProperties xmlns:c="urn:c" xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f"<dc:creator>{samples.AUTHOR}</dc:creator><dc:language>en</dc:language></c:coreProperties>"
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", f"<w:document {namespace}><w:body>{body}</w:body></w:document>")
        archive.writestr("word/styles.xml", f"<w:styles {namespace}>{styles}</w:styles>")
        archive.writestr(
            "word/footnotes.xml",
            f'<w:footnotes {namespace}><w:footnote w:id="2">{paragraph("It was a Tuesday.")}</w:footnote>'
            "</w:footnotes>",
        )
        archive.writestr("docProps/core.xml", core)
    return buffer.getvalue()


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
