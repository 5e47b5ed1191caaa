"""Bytes to text: the encodings that are read, and the binary formats that are refused by name."""

import codecs
import io
import re
import zipfile

import charset_normalizer

from pipeline.errors import OptionError, ScriptError

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_BINARY = (
    (b"%PDF-", "a PDF document"),
    (b"\xd0\xcf\x11\xe0", "an old Word, Excel or PowerPoint document"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"\x1aE\xdf\xa3", "a WebM or Matroska file"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf", "a 7-Zip archive"),
    (b"Rar!\x1a", "a RAR archive"),
    (b"SQLite format 3", "an SQLite database"),
    (b"\x7fELF", "a program"),
    (b"MZ\x90", "a program"),
)
_BINARY_WITH_NULLS = (
    (b"GIF8", "a GIF picture"),
    (b"RIFF", "a WAV, AVI or WebP file"),
    (b"ID3", "an MP3 recording"),
    (b"OggS", "an Ogg recording"),
    (b"fLaC", "a FLAC recording"),
)
"""A text may begin with these letters, but holds no null byte."""
_ZIPPED = (
    ("word/", "a Word document (DOCX)"),
    ("xl/", "an Excel workbook (XLSX)"),
    ("ppt/", "a PowerPoint presentation (PPTX)"),
    ("META-INF/container.xml", "an EPUB book"),
    ("content.xml", "an OpenDocument file (ODT)"),
)
_AS_TEXT = "save it as plain text (UTF-8) and give that"
_LINES_NAMED = 8
_GUESSES = 3
"""Most encodings that a refusal names; few words do not decide between relatives."""
_LEGACY = (
    *("cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp1255", "cp1256", "iso8859_2", "koi8_r"),
    *("mac_roman", "shift_jis", "euc_jp", "gb18030", "big5", "euc_kr"),
)
"""Encodings that texts still have; the others are guessed wrongly more often than found."""

_MAC_APOSTROPHE = re.compile(rb"[A-Za-z]\xd5[a-z]")
"""`It’s` in Mac Roman."""


def decode(data: bytes, encoding: str | None = None) -> str:
    """Decode a script's bytes.

    Args:
        encoding: a name that Python knows; None reads UTF-8, and UTF-16 and UTF-32 with a byte order mark.

    Raises:
        ScriptError: a binary format, or bytes of another encoding; names the lines and the remedy.
        OptionError: no such encoding.
    """
    if encoding is not None:
        return _decode_as(data, _codec(encoding))
    for mark, codec in _BOMS:
        if data.startswith(mark):
            return _decode_as(data.removeprefix(mark), codec)
    refuse_binary(data)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise _not_utf8(data) from None


def _codec(encoding: str) -> str:
    try:
        "a".encode(encoding)
    except (LookupError, ValueError):  # a name with a null character is a ValueError
        raise OptionError(
            "encoding", f"{encoding[:40]!r} is unknown; try utf-8, utf-16 or windows-1252"
        ) from None
    return encoding


def _decode_as(data: bytes, codec: str) -> str:
    try:
        return data.decode(codec).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ScriptError(line, f"byte 0x{data[error.start]:02x} is not {codec}") from None
    except UnicodeError:
        raise ScriptError(1, f"is not {codec}") from None


def refuse_binary(data: bytes) -> None:
    """Refuse what is no text, by its name.

    Raises:
        ScriptError: always for line 1.
    """
    nulls = _BINARY_WITH_NULLS if b"\0" in data[:4096] else ()
    for mark, name in (*_BINARY, *nulls):
        if data.startswith(mark):
            raise ScriptError(1, f"the file is {name}, not a script; {_AS_TEXT}")
    if data.startswith(b"PK\x03\x04"):
        raise ScriptError(1, f"the file is {_zipped(data)}, not a script; {_AS_TEXT}")
    sample = data[:4096]
    if b"\0" in sample:
        codec = _wide(sample)
        if codec is None:
            raise ScriptError(1, f"the file is binary, not a script; {_AS_TEXT}")
        raise ScriptError(
            1, f"is not UTF-8; it looks like {codec}: give `--encoding {codec}` or save it as UTF-8"
        )


def _zipped(data: bytes) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError, RuntimeError):
        names = []
    found = (name for start, name in _ZIPPED if any(member.startswith(start) for member in names))
    return next(found, "a ZIP archive")


def _wide(sample: bytes) -> str | None:
    """UTF-16 without a byte order mark, by where its null bytes are."""
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    if odd > len(sample) // 8 and even <= odd // 8:
        return "utf-16-le"
    if even > len(sample) // 8 and odd <= even // 8:
        return "utf-16-be"
    return None


def _not_utf8(data: bytes) -> ScriptError:
    bad = [number for number, line in enumerate(data.split(b"\n"), 1) if not _is_utf8(line)]
    others = ", ".join(map(str, bad[1:_LINES_NAMED]))
    noun = "line" if len(bad) == 2 else "lines"
    more = f" (also {noun} {others}{', …' if len(bad) > _LINES_NAMED else ''})" if others else ""
    guesses = _guesses(data)
    likely = f"it looks like {' or '.join(guesses)}"
    remedy = f"{likely}: give `--encoding {guesses[0]}`" if guesses else "give its `--encoding`"
    return ScriptError(bad[0] if bad else 1, f"is not UTF-8{more}; {remedy} or save it as UTF-8")


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _guesses(data: bytes) -> list[str]:
    """Likely encodings, the likeliest first.

    Western European where nearly all letters are ASCII, else by statistics.
    """
    sample = data[:65536]
    letters = sum(chr(byte).isalpha() for byte in sample if byte < 128)
    high = sum(byte >= 128 for byte in sample)
    if letters > 4 * high:
        if _MAC_APOSTROPHE.search(sample):
            return ["mac-roman"]
        try:
            sample.decode("cp1252")
        except UnicodeDecodeError:
            pass
        else:
            return ["windows-1252"]
    found = charset_normalizer.from_bytes(sample, cp_isolation=list(_LEGACY))
    names = dict.fromkeys(match.encoding.replace("_", "-") for match in found)
    return list(names)[:_GUESSES]


def misdecoded_lines(text: str) -> list[int]:
    """The lines whose UTF-8 was decoded as Windows-1252 and stored again: `Itâ€™s`.

    >>> misdecoded_lines("Itâ€™s a cafÃ©.\\nIt’s a café, señor.")
    [1]
    """
    if text.isascii():
        return []
    return [number for number, line in enumerate(text.split("\n"), 1) if _is_misdecoded(line)]


def _is_misdecoded(line: str) -> bool:
    if line.isascii() or not any(letter in line for letter in "ÂÃâÐÑÅÄ"):
        return False
    try:
        raw = b"".join(_byte_of(letter) for letter in line)
        return raw.decode("utf-8") != line
    except UnicodeError:
        return False


def _byte_of(letter: str) -> bytes:
    """The byte of a letter in Windows-1252, with its five undefined bytes as Latin-1 has them."""
    return letter.encode("latin-1" if "\x80" <= letter < "\xa0" else "cp1252")
