import re
from collections import Counter

import pytest

from pipeline.books.reader import read, read_book
from pipeline.errors import OptionError, ScriptError
from tests.books import samples

SPOKEN = [
    "Chapter One: The Harbour",
    "The harbour was quiet when Nora came down to the water.",
    '"You are late," said Mr. Fox. "The boat has gone."',
    '"Then I will wait for the next one," said Nora.',
    "Chapter Two: The Stair",
    "The stair had forty steps, and every step had a voice of its own.",
    '"Count them," said Mr. Fox, and Nora counted them aloud.',
    "Chapter Three: The Lamp",
    "At the top a lamp was burning, though nobody lived there any more.",
    '"Somebody was here before us," said Nora.',
    "Mr. Fox blew the lamp out, and they went home in the dark.",
]
versions = pytest.mark.parametrize("version", [2, 3])


@versions
def test_metadata_is_read(version: int) -> None:
    book = read_book(samples.epub(version))
    assert (book.title, book.authors, book.language) == (samples.TITLE, (samples.AUTHOR,), "en")
    assert (book.series, book.series_position) == (samples.SERIES, "2")
    assert book.cover is not None
    assert (book.cover.data, book.cover.media_type) == (samples.png(), "image/png")
    assert book.notices == ()


@versions
def test_chapters_are_those_of_the_table_of_contents(version: int) -> None:
    found = [(chapter.title, chapter.matter) for chapter in read_book(samples.epub(version)).chapters]
    assert found == [
        ("Title Page", "front matter"),
        ("Copyright", "front matter"),
        *((title, "") for title in samples.CHAPTERS),
        ("About the Author", "back matter"),
    ]


@versions
def test_the_text_is_read_without_what_is_left_out_by_rule(version: int) -> None:
    script = read(samples.epub(version))
    assert [turn.text for turn in script.turns] == SPOKEN
    assert [(chapter.title, chapter.turn) for chapter in script.chapters] == list(
        zip(samples.CHAPTERS, (0, 4, 7), strict=True)
    )
    assert script.problems == ()


@versions
def test_everything_that_is_left_out_is_counted(version: int) -> None:
    counted = Counter(omission.kind for omission in read(samples.epub(version)).omissions)
    assert counted.pop("footnote mark") == (1 if version == 3 else 2)  # EPUB 2's note has a mark of its own
    assert counted == {
        **{"front matter": 2, "back matter": 1},
        **{"footnote": 1, "page number": 1, "table": 1, "picture": 1, "image caption": 1, "code block": 1},
    }


def test_a_scene_break_is_a_rest() -> None:
    turns = read(samples.epub(3)).turns
    assert [turn.pause_ms for turn in turns] == [0, 700, 0, 0, 1500, 700, 0, 1500, 700, 1000, 0]


@pytest.mark.parametrize(
    ("chosen", "titles"),
    [
        ("4", ["Chapter Two: The Stair"]),
        ("1,5", ["Title Page", "Chapter Three: The Lamp"]),
        ("5-", ["Chapter Three: The Lamp", "About the Author"]),
        ("all", ["Title Page", "Copyright", *samples.CHAPTERS, "About the Author"]),
    ],
)
def test_chapters_are_chosen_by_number(chosen: str, titles: list[str]) -> None:
    script = read(samples.epub(3), chapters=chosen)
    assert [chapter.title for chapter in script.chapters] == titles


def test_lines_do_not_depend_on_the_chapters_that_are_chosen() -> None:
    lines = {turn.text: turn.line for turn in read(samples.epub(3)).turns}
    alone = {turn.text: turn.line for turn in read(samples.epub(3), chapters="5").turns}
    assert alone
    assert alone.items() <= lines.items()


@pytest.mark.parametrize("chosen", ["0", "7", "3-2", "two", "1,,2", "1-9"])
def test_a_wrong_choice_of_chapters_is_refused(chosen: str) -> None:
    with pytest.raises(OptionError, match=re.escape(chosen.split(",", maxsplit=1)[0][:3] or "''")):
        read(samples.epub(3), chapters=chosen)


def test_chapters_within_one_page_are_parted_by_anchors() -> None:
    files = samples.files(3)
    both = str(files["OEBPS/c1.xhtml"]).replace(
        "</section>", '</section><section><h1 id="two">Second</h1><p>Two parts.</p></section>'
    )
    files["OEBPS/c1.xhtml"] = both
    files["OEBPS/nav.xhtml"] = str(files["OEBPS/nav.xhtml"]).replace("c2.xhtml", "c1.xhtml#two")
    titles = {chapter.title: chapter.words for chapter in read_book(samples.zipped(files)).chapters}
    assert titles["Chapter Two: The Stair"] == 31  # its own page follows the anchor
    assert titles["Chapter One: The Harbour"] == 35


def test_a_book_without_a_table_of_contents_has_a_chapter_for_each_heading() -> None:
    files = samples.files(2)
    del files["OEBPS/toc.ncx"]
    book = read_book(samples.zipped(files))
    assert [chapter.title for chapter in book.chapters if not chapter.matter][-3:] == list(samples.CHAPTERS)
    assert any("no table of contents" in notice for notice in book.notices)


@pytest.mark.parametrize("member", ["META-INF/container.xml", "OEBPS/book.opf", "OEBPS/nav.xhtml"])
def test_broken_xml_is_named(member: str) -> None:
    files = {**samples.files(3), member: "<package><unclosed>"}
    with pytest.raises(ScriptError, match=f"{member} is not well-formed XML"):
        read_book(samples.zipped(files))


def test_a_page_with_broken_markup_is_read() -> None:
    files = {**samples.files(3), "OEBPS/c2.xhtml": "<html><body><p>One <b>two<p>three</i> &nbsp;four"}
    texts = [turn.text for turn in read(samples.zipped(files)).turns]
    assert texts[4:6] == ["One two", "three four"]
