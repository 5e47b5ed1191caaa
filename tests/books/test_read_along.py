"""Read-along books: EPUB 3 with media overlays, checked by epubcheck."""

import io
import json
import re
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import av
import pytest
from defusedxml.ElementTree import fromstring
from hypothesis import given
from hypothesis import strategies as st

from pipeline.books.read_along.marks import read_marked_page
from pipeline.books.reader import read
from pipeline.errors import OptionError
from pipeline.jobs.jobs import Jobs
from pipeline.script import sentences
from pipeline.script.parser import parse
from pipeline.store.artifacts import Store
from tests.books import samples
from tests.books.probe import epubcheck
from tests.books.rendering import made

SMIL, XHTML = "{http://www.w3.org/ns/SMIL}", "{http://www.w3.org/1999/xhtml}"
OPF = "{http://www.idpf.org/2007/opf}"
FOLDER = "OEBPS/read-along-1/"
versions = pytest.mark.parametrize("version", [2, 3])


class Book:
    """A finished read-along book."""

    def __init__(self, jobs: Jobs, source: bytes) -> None:
        self.source = zipfile.ZipFile(io.BytesIO(source))
        self.manifest, self.data = made(jobs, read(source, cast=["Quoted"]), format="epub")
        self.archive = zipfile.ZipFile(io.BytesIO(self.data))
        words = jobs.store.objects.read(self.manifest["words"]["name"])
        self.words: list[dict[str, Any]] = json.loads(words or b"")
        self.package = fromstring(self.archive.read("OEBPS/book.opf"))

    def pages(self) -> dict[str, Element]:
        """Pages with an overlay, in order."""
        overlays = [name for name in self.archive.namelist() if name.endswith(".smil")]
        found = {}
        for name in sorted(overlays):
            root = fromstring(self.archive.read(name))
            first = next(root.iter(f"{SMIL}text")).attrib["src"]
            found[first.partition("#")[0].removeprefix("../")] = root
        return found

    def clips(self) -> Iterator[tuple[str, float, float]]:
        """Text, start and end (s) of every clip."""
        for page, root in self.pages().items():
            texts = fromstring(self.archive.read(f"OEBPS/{page}"))
            by_id = {element.get("id"): element for element in texts.iter()}
            for par in root.iter(f"{SMIL}par"):
                text, audio = par.find(f"{SMIL}text"), par.find(f"{SMIL}audio")
                assert text is not None
                assert audio is not None
                assert audio.attrib["src"] == "audio.m4a"
                place, _, name = text.attrib["src"].partition("#")
                assert place == f"../{page}"
                words = " ".join("".join(by_id[name].itertext()).split())
                times = [audio.attrib[each].removesuffix("s") for each in ("clipBegin", "clipEnd")]
                yield words, float(times[0]), float(times[1])


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> Jobs:
    return Jobs(Store(str(tmp_path_factory.mktemp("store"))))


@pytest.fixture(scope="module", params=[pytest.param(2, marks=pytest.mark.books), 3])
def book(request: pytest.FixtureRequest, jobs: Jobs) -> Book:
    return Book(jobs, samples.epub(request.param))


def plain(text: str) -> str:
    """Letters of a text; a page number within it is not spoken."""
    return "".join(filter(str.isalpha, text.casefold()))


def unmarked(text: str) -> str:
    """A page without the marks."""
    plain, opened = [], []
    for piece in re.split(r"(<span\b[^>]*>|</span>)", text):
        if piece.startswith("<span"):
            opened.append(piece.startswith('<span id="voxchord-'))
        mark = bool(opened) and opened[-1]
        if not (mark and (piece.startswith("<span") or piece == "</span>")):
            plain.append(piece)
        if piece == "</span>":
            opened.pop()
    return "".join(plain)


@pytest.mark.books
def test_epubcheck_finds_nothing(book: Book, tmp_path: Path) -> None:
    path = tmp_path / "book.epub"
    path.write_bytes(book.data)
    assert epubcheck(path) == ""


def test_clips_have_the_times_of_their_words(book: Book) -> None:
    clips = list(book.clips())
    position = 0
    for text, start_s, end_s in clips:
        count = len(text.split())
        heard = book.words[position : position + count]
        assert plain("".join(word["word"] for word in heard)) == plain(text)
        assert start_s == heard[0]["start_s"]
        assert end_s >= heard[-1]["end_s"]
        position += count
    assert position == len(book.words), "every spoken word is in a clip"
    assert [end_s for _, _, end_s in clips[:-1]] == [start_s for _, start_s, _ in clips[1:]]
    assert clips[-1][2] == pytest.approx(book.manifest["duration_s"], abs=0.001)


def test_clips_are_sentences(book: Book) -> None:
    texts = [text for text, _, _ in book.clips()]
    for chapter in range(3):
        for paragraph in samples.paragraphs(chapter):
            for sentence in sentences.split(paragraph):
                assert any(plain(sentence).startswith(plain(text)) for text in texts), sentence
    assert "The harbour was quiet when Nora came down to the water." in texts
    assert not any("Tuesday" in text or "Copyright" in text or "Voice" in text for text in texts)


def test_pages_keep_all_but_the_marks(book: Book) -> None:
    assert list(book.pages()) == ["c1.xhtml", "c2.xhtml", "c3.xhtml"]
    for page in book.pages():
        text = book.archive.read(f"OEBPS/{page}").decode()
        text = re.sub(r'<link rel="stylesheet"[^>]*read-along.css"/>', "", unmarked(text))
        source = book.source.read(f"OEBPS/{page}").decode()
        assert text == source
    assert book.archive.read("OEBPS/cover.png") == book.source.read("OEBPS/cover.png")


def test_the_package_names_the_overlays(book: Book) -> None:
    items = {item.attrib["id"]: item.attrib for item in book.package.iter(f"{OPF}item")}
    voiced = {
        each["href"]: items[each["media-overlay"]] for each in items.values() if "media-overlay" in each
    }
    assert list(voiced) == ["c1.xhtml", "c2.xhtml", "c3.xhtml"]
    assert {each["media-type"] for each in voiced.values()} == {"application/smil+xml"}
    durations = {
        meta.get("refines", ""): float((meta.text or "").removesuffix("s"))
        for meta in book.package.iter(f"{OPF}meta")
        if meta.get("property") == "media:duration"
    }
    whole_s = durations.pop("")
    assert sum(durations.values()) == pytest.approx(whole_s, abs=0.01)
    assert set(durations) == {f"#{each['id']}" for each in voiced.values()}
    covers = [each["href"] for each in items.values() if "cover-image" in each.get("properties", "")]
    assert covers == ["cover.png"]


def test_the_audio_is_that_of_the_job(book: Book) -> None:
    with av.open(io.BytesIO(book.archive.read(f"{FOLDER}audio.m4a"))) as container:
        assert float(container.duration or 0) / av.time_base == pytest.approx(
            book.manifest["duration_s"], abs=0.05
        )


def test_the_book_is_read_again_as_it_was(book: Book) -> None:
    again = read(book.data, cast=["Quoted"])
    assert [turn.text for turn in again.turns] == [
        turn.text for turn in read(samples.epub(3), cast=["Quoted"]).turns
    ]


def test_only_epubs_become_read_along_books(jobs: Jobs) -> None:
    with pytest.raises(OptionError, match="is made from an EPUB only"):
        made(jobs, parse("Ann: Words."), format="epub")


@pytest.mark.parametrize(
    ("body", "marked"),
    [
        ("<p>One. Two.</p>", "<p>{One.} {Two.}</p>"),
        ("<p>One <em>two</em> three.</p>", "<p>{One <em>two</em> three.}</p>"),
        ("<p>One <em>two. Three</em> four.</p>", "<p>{One} <em>{two.} {Three}</em> {four.}</p>"),
        ("<p><b>O</b>ne day.</p>", "<p>{<b>O</b>ne day.}</p>"),
        (
            "<p>A. <i>One</i>. <b>T</b>wo <b>end. Th</b>ree.</p>",
            "<p>{A.} {<i>One</i>.} {<b>T</b>wo} <b>{end.} Th</b>ree.</p>",
        ),
        (
            "<p>Tom &amp; Ann&#8217;s  boat.<br/>Away.</p>",
            "<p>{Tom &amp; Ann&#8217;s  boat.}<br/>{Away.}</p>",
        ),
        (
            "<p>Gone.<sup><a href='#n'>1</a></sup> Back.</p>",
            "<p>{Gone.}<sup><a href='#n'>1</a></sup> {Back.}</p>",
        ),
        (
            "<p>One.</p><hr/><p>***</p><pre>x</pre><p>Two.</p>",
            "<p>{One.}</p><hr/><p>***</p><pre>x</pre><p>{Two.}</p>",
        ),
    ],
)
def test_marks_are_around_sentences_or_their_parts(body: str, marked: str) -> None:
    page = read_marked_page(f"<html><body>{body}</body></html>".encode(), "page.xhtml")
    parts = page.parts()
    found = page.marked(parts, ["x"] * len(parts))
    assert found == f"<html><body>{marked}</body></html>".replace("{", '<span id="x">').replace(
        "}", "</span>"
    )


WORDS = st.sampled_from(
    ["One", "two.", "“Go!”", "Mr.", "Fox", "3", "&amp;", "caf&#233;", "end.", "***", "don’t", "—"]
)
SPACE = st.sampled_from([" ", "  ", "\n", "&#160;", ""])
INLINE = ("em", "b", "span", "a", "sup", "ruby")
TEXT = st.lists(st.tuples(WORDS, SPACE), max_size=4).map(lambda found: "".join(map("".join, found)))
CONTENT = st.recursive(
    TEXT | st.sampled_from(["<br/>", "<!-- a > b -->", "<img src='x.png' alt='A. B.'/>", "<?pi x?>"]),
    lambda inner: (
        st.lists(inner, max_size=3).map("".join)
        | st.tuples(st.sampled_from(INLINE), inner).map(lambda found: f"<{found[0]}>{found[1]}</{found[0]}>")
        | inner.map(lambda text: f'<a epub:type="noteref" href="#n">{text}</a>')
        | inner.map(lambda text: f'<span class="pagenum">{text}</span>')
    ),
    max_leaves=12,
)
BLOCKS = st.lists(
    st.tuples(st.sampled_from(["p", "h2", "li", "div", "pre", "td", "blockquote"]), CONTENT), max_size=4
).map(lambda found: "".join(f"<{tag}>{text}</{tag}>" for tag, text in found))


@given(BLOCKS)
def test_marked_pages_are_well_formed_and_unchanged_but_for_the_marks(body: str) -> None:
    source = f'<html xmlns:epub="x"><head><title>T. U.</title></head><body>{body}</body></html>'
    page = read_marked_page(source.encode(), "page.xhtml")
    parts = page.parts()
    names = [f"voxchord-{number}" for number in range(len(parts))]
    marked = page.marked(parts, names)
    assert unmarked(marked) == source
    root = fromstring(marked)
    assert [each.get("id") for each in root.iter("span") if each.get("id")] == names


@given(st.text(alphabet="<>/&;=\"'! -pbem\n", max_size=60))
def test_broken_pages_stay_as_they_are_but_for_the_marks(body: str) -> None:
    source = f"<html><body>{body}</body></html>"
    page = read_marked_page(source.encode(), "page.xhtml")
    parts = page.parts()
    marked = page.marked(parts, ["x"] * len(parts))
    assert marked.replace('<span id="x">', "").replace("</span>", "") == source.replace("</span>", "")


@pytest.mark.parametrize(
    "body",
    ["<em>word " * 3000, "Ha. <b>Word " + "word " * 50_000 + "yes. Ok</b> then.", "<em>word</em> " * 20_000],
    ids=["elements without an end", "an element that ends in the next sentence", "many elements"],
)
def test_marks_of_odd_pages_are_found_in_no_time(body: str) -> None:
    page = read_marked_page(f"<html><body><p>{body}</p></body></html>".encode(), "page")
    began = time.process_time()
    assert page.parts()
    assert time.process_time() - began < 5
