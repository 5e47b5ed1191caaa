import codecs
import io
import zipfile

import pytest

from pipeline.errors import OptionError, ScriptError
from pipeline.script.encoding import decode
from pipeline.script.parser import parse, read

TEXT = "Mia: It’s “fine” – really.\nRolf: Café, déjà vu.\nMia: Good."


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode(),
        TEXT.encode("utf-8-sig"),
        codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"),
        codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
        codecs.BOM_UTF32_LE + TEXT.encode("utf-32-le"),
    ],
)
def test_unicode_is_read(data: bytes) -> None:
    assert decode(data) == TEXT
    assert parse(data).speakers == ("Mia", "Rolf")


@pytest.mark.parametrize(
    ("data", "guess", "lines"),
    [
        (TEXT.encode("cp1252"), "windows-1252", "also line 2"),
        (TEXT.encode("utf-16-le"), "utf-16-le", ""),
        (TEXT.encode("utf-16-be"), "utf-16-be", ""),
        (
            "Миа: Кто там идёт так поздно?\nРольф: Это всего лишь я, откройте.\n".encode("cp1251") * 8,
            "cp1251",
            "lines",
        ),
    ],
)
def test_another_encoding_is_refused_with_its_name_and_the_option(
    data: bytes, guess: str, lines: str
) -> None:
    with pytest.raises(ScriptError, match=f"--encoding {guess}") as found:
        decode(data)
    assert found.value.line == 1
    assert lines in found.value.reason
    assert decode(data, guess)


def test_the_option_reads_it() -> None:
    assert parse(TEXT.encode("cp1252"), encoding="windows-1252").turns == parse(TEXT).turns


@pytest.mark.parametrize("encoding", ["klingon", "rot13", "utf-8\0", "base64"])
def test_an_unknown_encoding_is_refused(encoding: str) -> None:
    with pytest.raises(OptionError, match="unknown"):
        decode(b"Mia: One.", encoding)


def test_bytes_that_the_named_encoding_lacks_are_a_problem_at_their_line() -> None:
    script = read(b"Mia: One.\nRolf: \x81", encoding="cp1252")
    assert [(problem.line, "0x81" in problem.reason) for problem in script.problems] == [(2, True)]


def docx(member: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(member, "x")
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"%PDF-1.7\n...", "PDF"),
        (b"{\\rtf1\\ansi Hello\\par}", "RTF"),
        (b"<!DOCTYPE html>\n<p>Hello</p>", "HTML"),
        (b"<p>Hello</p>\n<p>Bye</p>", "HTML"),
        (b"<?xml version='1.0'?><tt></tt>", "XML"),
        (docx("word/document.xml"), "Word"),
        (docx("META-INF/container.xml"), "EPUB"),
        (docx("notes.txt"), "ZIP"),
        (b"PK\x03\x04 broken", "ZIP"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "Word"),
        (b"RIFF\x00\x00\x00\x00WAVE", "WAV"),
        (b"ID3\x04\x00\x00", "MP3"),
        (b"\x89PNG\r\n\x1a\n", "PNG"),
        (b"Mia: One.\x00\x00\x01\x02\x00\x03\x04\x05", "binary"),
        (b"[Script Info]\nTitle: x", "ASS"),
        (b"\\documentclass{article}", "LaTeX"),
    ],
)
def test_foreign_formats_are_refused_by_name(data: bytes, name: str) -> None:
    script = read(data)
    assert [problem.line for problem in script.problems] == [1]
    assert name in script.problems[0].reason
    assert "plain text" in script.problems[0].reason


def test_a_text_that_begins_as_a_recording_does_is_read() -> None:
    assert read(b"RIFF is a format. ID3 is one too.").problems == ()
