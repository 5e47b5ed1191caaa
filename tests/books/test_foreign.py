"""Foreign and hostile files: an error with the reason, or the text, in little time and memory."""

import io
import multiprocessing
import random
import re
import resource
import time
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from multiprocessing.connection import Connection

import pytest

from pipeline.books.limits import PAGE_BYTES_MAX
from pipeline.books.reader import read, read_book
from pipeline.errors import PipelineError, ScriptError
from tests.books import samples
from tests.books.other_forms import docx

TIME_MAX_S, MEMORY_MAX_BYTES = 5.0, 500 << 20
_ENTITIES = "".join(f'<!ENTITY e{n + 1} "{f"&e{n};" * 10}">' for n in range(9))
BOMB_OF_ENTITIES = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e0 "ha">{_ENTITIES}]>'
ENCRYPTED = (
    '<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container" '
    'xmlns:enc="http://www.w3.org/2001/04/xmlenc#"><enc:EncryptedData>'
    '<enc:EncryptionMethod Algorithm="{}"/></enc:EncryptedData></encryption>'
)


def with_members(members: Mapping[str, str | bytes]) -> bytes:
    return samples.zipped({**samples.files(3), **members})


def page(body: str) -> bytes:
    return with_members({"OEBPS/c2.xhtml": f"<html><body>{body}</body></html>"})


def zeros_in_chapter() -> bytes:
    return with_members({"OEBPS/c2.xhtml": b"\0" * (1 << 30)})


def many_large_pages() -> bytes:
    """Pages that are within the limit of a page, and beyond that of a book."""
    text = b"<p>" + b"word " * ((15 << 20) // 5)
    return with_members(
        {name: text for name in samples.files(3) if name.endswith(".xhtml") and "nav" not in name}
    )


def lying_directory() -> bytes:
    """An archive whose directory states one byte for a member of 64 MiB."""
    data = with_members({"OEBPS/c2.xhtml": b"a" * (64 << 20)})
    start = data.rindex(b"OEBPS/c2.xhtml") - 46
    return data[: start + 24] + (1).to_bytes(4, "little") + data[start + 28 :]


def password_protected() -> bytes:
    data = bytearray(samples.epub(3))
    start = data.index(b"PK\x01\x02", data.rindex(b"META-INF/container.xml") - 46)
    data[start + 8] |= 1
    return bytes(data)


def docx_of_entities() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("word/document.xml", BOMB_OF_ENTITIES + "<document>&e9;</document>")
    return buffer.getvalue()


REFUSED: Mapping[str, tuple[Callable[[], bytes | str], str]] = {
    "zip bomb": (zeros_in_chapter, "more than 16,777,216 bytes"),
    "many large pages": (many_large_pages, "unpacks to more than"),
    "lying directory": (lying_directory, "more than 16,777,216 bytes|is damaged"),
    "password": (password_protected, "encrypted with a password"),
    "entities in the package": (
        lambda: with_members({"OEBPS/book.opf": BOMB_OF_ENTITIES + "<package>&e9;</package>"}),
        "book.opf declares entities",
    ),
    "external entity": (
        lambda: with_members(
            {"OEBPS/book.opf": '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><package>&e;</package>'}
        ),
        "declares entities",
    ),
    "entities in a page": (
        lambda: with_members({"OEBPS/c1.xhtml": BOMB_OF_ENTITIES + "<html><p>&e9;</p></html>"}),
        "c1.xhtml declares entities",
    ),
    "deep package": (
        lambda: with_members({"OEBPS/book.opf": "<a>" * 400_000 + "</a>" * 400_000}),
        "nested more than 200 levels deep",
    ),
    "deep contents": (
        lambda: with_members({"OEBPS/nav.xhtml": "<nav><ol><li>" * 60_000 + "</li></ol></nav>" * 60_000}),
        "nested more than 200 levels deep",
    ),
    "no container": (
        lambda: samples.zipped({"OEBPS/book.opf": "<package/>"}),
        "has no file 'META-INF/container.xml'",
    ),
    "truncated": (lambda: samples.epub(3)[:2000], "is damaged"),
    "no text": (
        lambda: with_members(
            {f"OEBPS/{n}.xhtml": "<p/>" for n in ("title", "copyright", "c1", "c2", "c3", "about")}
        ),
        "has no text",
    ),
    "large page": (
        lambda: b"<!DOCTYPE html><html><body>" + b"<p>word</p>" * (2 << 20),
        "more than the 16,777,216 allowed",
    ),
    "large page in an EPUB": (lambda: page("<p>word</p>" * (50 << 17)), "more than 16,777,216 bytes"),
    "large file": (lambda: b"<!DOCTYPE html>" + b" " * (65 << 20), "more than the 67,108,864 allowed"),
    "DRM": (
        lambda: with_members(
            {
                "META-INF/encryption.xml": ENCRYPTED.format("http://www.w3.org/2001/04/xmlenc#aes128-cbc"),
                "META-INF/rights.xml": "<rights/>",
            }
        ),
        "protected by DRM \\(Adobe's ADEPT\\)",
    ),
    "rights alone": (lambda: with_members({"META-INF/rights.xml": "<rights/>"}), "protected by DRM"),
    "DOCX without a body": (
        lambda: docx().replace(b"word/document.xml", b"word/documemt.xml"),
        "Word document",
    ),
    "DOCX of entities": (docx_of_entities, "declares entities"),
    "PDF": (lambda: b"%PDF-1.7 \xff\xfe", "PDF"),
    "bytes": (lambda: b"\0\1\2\3" * 100, "binary|not UTF-8|a text"),
}
READ: Mapping[str, Callable[[], bytes | str]] = {
    "open tags": lambda: page("<" * 4_000_000),
    "open comment": lambda: page("<!--" + "x" * 8_000_000),
    "comments": lambda: page("<!--" * 1_000_000),
    "open attribute": lambda: page('<p title="' + "x " * 4_000_000),
    "attributes": lambda: page("<p " + "a=b " * 1_000_000 + ">One"),
    "ampersands": lambda: page("&" * 4_000_000),
    "declarations": lambda: page("<![CDATA[" * 500_000 + "<!DOCTYPE" * 100_000),
    "deep page": lambda: page("<div>" * 1_500_000 + "One"),
    "closing tags": lambda: page("<b><i>" * 100_000 + "</p></div>" * 400_000),
    "headings": lambda: page("<h2>One</h2>" * 300_000),
    "large HTML": lambda: "<!DOCTYPE html><html><body>" + "<h2>One</h2><p>word</p>" * 500_000,
    "Markdown of brackets": lambda: "# One\n\n" + "[" * 1_000_000 + "\n\n# Two\n\n" + "*a " * 300_000,
    "Markdown of tables": lambda: "# One\n\nWord.\n\n" + "|-|\n" * 500_000,
    "Markdown of spaces": lambda: "# One\n\n# Two" + " " * 200_000 + "x\n\na | b\n" + " " * 200_000 + "x\n",
    "spaces behind an underlined line": lambda: "CHAPTER ONE\n===========\n\n" + " " * 200_000 + "x",
    "comments before text": lambda: "<!---->" * 500 + "\n\n# One\n\nWord.",
    "one long line": lambda: "word " * 1_000_000,
}


def _read(source: bytes | str, end: Connection) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.process_time()
    try:
        found: object = read_book(source).chapters[0].title
    except PipelineError as error:
        found = error
    cpu_s = time.process_time() - begun
    end.send((found, cpu_s, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024))


def measured(source: bytes | str) -> object:
    """Read a book in a process of its own; returns its first title, or the error, within time and memory."""
    context = multiprocessing.get_context("fork")
    end, other = context.Pipe()
    process = context.Process(target=_read, args=(source, other))
    process.start()
    other.close()
    found, cpu_s, rss_bytes = end.recv()
    process.join()
    assert cpu_s < TIME_MAX_S  # as on a machine that does nothing else
    assert rss_bytes < MEMORY_MAX_BYTES
    return found


@pytest.mark.books
@pytest.mark.parametrize("name", REFUSED)
def test_hostile_files_are_refused_with_the_reason(name: str) -> None:
    make, reason = REFUSED[name]
    found = measured(make())
    assert isinstance(found, ScriptError)
    assert re.search(reason, str(found)), str(found)


@pytest.mark.books
@pytest.mark.parametrize("name", READ)
def test_broken_markup_takes_little_time_and_memory(name: str) -> None:
    found = measured(READ[name]())
    assert isinstance(found, str) or (isinstance(found, ScriptError) and "more than" in found.reason), found


def test_obfuscated_fonts_are_no_drm() -> None:
    fonts = {"META-INF/encryption.xml": ENCRYPTED.format("http://www.idpf.org/2008/embedding")}
    assert read_book(with_members(fonts)).title == samples.TITLE


@pytest.mark.parametrize(
    "picture",
    [samples.png(stated=(100_000, 100_000)), b"GIF89a", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0\0\2"],
)
def test_an_unusable_cover_is_left_out_with_a_notice(picture: bytes) -> None:
    book = read_book(with_members({"OEBPS/cover.png": picture}))
    assert book.cover is None
    assert [notice for notice in book.notices if "the cover is left out" in notice]
    assert (
        read(with_members({"OEBPS/cover.png": picture})).notices[0].reason.startswith("the cover is left out")
    )


@pytest.mark.parametrize(
    "reference", ["../../../../etc/passwd", "/etc/passwd", "file:///etc/passwd", "..\\..\\x"]
)
def test_references_do_not_leave_the_archive(reference: str) -> None:
    package = str(samples.files(3)["OEBPS/book.opf"]).replace('href="c2.xhtml"', f'href="{reference}"')
    book = read_book(with_members({"OEBPS/book.opf": package, "../../evil.xhtml": "<p>Evil</p>"}))
    assert "root:" not in str(book)
    assert [notice for notice in book.notices if "is missing" in notice]


def test_nothing_is_unpacked_beyond_the_limit_of_a_page() -> None:
    with pytest.raises(ScriptError, match="more than 16,777,216 bytes"):
        read_book(page("x" * (PAGE_BYTES_MAX + 1)))


@pytest.mark.books
@pytest.mark.parametrize("seed", range(300))
def test_damaged_books_are_read_or_refused(seed: int) -> None:
    chance = random.Random(seed)
    stored = zipfile.ZIP_STORED if seed % 2 else zipfile.ZIP_DEFLATED
    data = bytearray(docx() if seed % 5 == 0 else samples.zipped(samples.files(2 + seed % 2), stored))
    for _ in range(chance.randint(1, 30)):
        start = chance.randrange(len(data))
        match chance.randrange(4):
            case 0:
                data[start] = chance.randrange(256)
            case 1:
                del data[start : start + chance.randrange(200)]
            case 2:
                data[start:start] = data[: chance.randrange(200)]
            case _:
                data[start:start] = chance.choice([b"<", b"&#0;", b"]]>", b"<table>", b"\xff\xfe", b"<!--"])
    with suppress(ScriptError):  # any other exception fails
        assert read_book(bytes(data)).chapters


def test_an_archive_without_a_directory_is_damaged() -> None:
    with pytest.raises(ScriptError, match="damaged"):
        read_book(samples.epub(3)[:1000])
