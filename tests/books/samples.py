"""Books that tests make: the same three chapters as EPUB 2 and EPUB 3."""

import io
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence

TITLE, AUTHOR, SERIES = "The Lamp on the Stair", "Ann Author", "Harbour Tales"
CHAPTERS = ("Chapter One: The Harbour", "Chapter Two: The Stair", "Chapter Three: The Lamp")
_XHTML = (
    '<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE html>\n<html xmlns="http://www.w3.org/1999/xhtml" '
)
_OPS = 'xmlns:epub="http://www.idpf.org/2007/ops" lang="en" xml:lang="en">'
_CONTAINER = """<?xml version="1.0"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
<rootfiles><rootfile full-path="OEBPS/book.opf" media-type="application/oebps-package+xml"/></rootfiles>
</container>"""


def png(width: int = 60, height: int = 90, *, stated: tuple[int, int] | None = None) -> bytes:
    """A grey picture.

    Args:
        stated: the size in its header, if it lies.
    """

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", *(stated or (width, height)), 8, 0, 0, 0, 0)
    rows = b"".join(b"\0" + bytes([120] * width) for _ in range(height))
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def zipped(files: Mapping[str, str | bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """An archive with an EPUB's first member."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        archive.writestr("mimetype", "application/epub+zip", zipfile.ZIP_STORED)
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def paragraphs(chapter: int) -> Sequence[str]:
    """Paragraphs of a chapter, in which two people speak."""
    return (
        (
            "The harbour was quiet when Nora came down to the water.",
            "“You are late,” said Mr. Fox. “The boat has gone.”",
            "“Then I will wait for the next one,” said Nora.",
        ),
        (
            "The stair had forty steps, and every step had a voice of its own.",
            "“Count them,” said Mr. Fox, and Nora counted them aloud.",
        ),
        (
            "At the top a lamp was burning, though nobody lived there any more.",
            "“Somebody was here before us,” said Nora.",
            "Mr. Fox blew the lamp out, and they went home in the dark.",
        ),
    )[chapter]


def _page(title: str, body: str, types: str = "bodymatter", *, ops: bool = True) -> str:
    head = f"{_XHTML}{_OPS}" if ops else f'{_XHTML}xml:lang="en">'
    section = f'<section epub:type="{types}">{body}</section>' if ops else f"<div>{body}</div>"
    return f"{head}\n<head><title>{title}</title></head>\n<body>\n{section}\n</body>\n</html>"


def _body(chapter: int, *, ops: bool) -> str:
    spoken = [f"<p>{text}</p>" for text in paragraphs(chapter)]
    heading = f'<h1 id="c{chapter + 1}">{CHAPTERS[chapter]}</h1>'
    if chapter == 0:
        mark = '<a epub:type="noteref" href="#n1">1</a>' if ops else '<sup><a href="#n1" id="r1">1</a></sup>'
        note = (
            '<aside epub:type="footnote" id="n1"><p>It was a Tuesday.</p></aside>'
            if ops
            else '<p id="n1"><a href="#r1">1</a> It was a Tuesday.</p>'
        )
        number = 'epub:type="pagebreak" id="p7" title="7"' if ops else 'class="pagenum"'
        spoken = [
            spoken[0].replace(".</p>", f".{mark}</p>"),
            spoken[1].replace("late", f"late<span {number}>7</span>"),
            *spoken[2:],
            note,
        ]
    if chapter == 1:
        table = "<table><tr><td>Step</td><td>Voice</td></tr><tr><td>One</td><td>Low</td></tr></table>"
        picture = '<img src="cover.png" alt="A stair"/>'
        caption = (
            f"<figure>{picture}<figcaption>The stair, drawn by Nora</figcaption></figure>"
            if ops
            else f'<div>{picture}<p class="caption">The stair, drawn by Nora</p></div>'
        )
        spoken += [table, caption, "<pre>10 GOTO 10</pre>"]
    if chapter == 2:
        spoken.insert(1, "<hr/>")
    return heading + "\n" + "\n".join(spoken)


_FRONT = (
    ("cover.xhtml", "Cover", '<p><img src="cover.png" alt="Cover"/></p>', "cover"),
    ("title.xhtml", "Title Page", f"<h1>{TITLE}</h1><p>by {AUTHOR}</p>", "titlepage"),
    (
        "copyright.xhtml",
        "Copyright",
        "<p>Copyright 2026 by the author. All rights reserved.</p>",
        "copyright-page",
    ),
)


def files(version: int) -> dict[str, str | bytes]:
    """Members of the book."""
    ops = version == 3
    pages = {name: _page(title, body, types, ops=ops) for name, title, body, types in _FRONT}
    pages |= {
        f"c{number}.xhtml": _page(title, _body(number - 1, ops=ops), "bodymatter chapter", ops=ops)
        for number, title in enumerate(CHAPTERS, 1)
    }
    pages["about.xhtml"] = _page(
        "About the Author", "<h1>About the Author</h1><p>Ann lives by the sea.</p>", "backmatter", ops=ops
    )
    titled = [
        *((name, title) for name, title, _, _ in _FRONT),
        *((f"c{number}.xhtml", title) for number, title in enumerate(CHAPTERS, 1)),
        ("about.xhtml", "About the Author"),
    ]
    if ops:
        entries = "".join(f'<li><a href="{name}">{title}</a></li>' for name, title in titled)
        pages["nav.xhtml"] = (
            f'{_XHTML}{_OPS}\n<head><title>Contents</title></head><body><nav epub:type="toc" id="toc">'
            f"<h1>Contents</h1><ol>{entries}</ol></nav></body></html>"
        )
    else:
        points = "".join(
            f'<navPoint id="n{order}" playOrder="{order}"><navLabel><text>{title}</text></navLabel>'
            f'<content src="{name}"/></navPoint>'
            for order, (name, title) in enumerate(titled, 1)
        )
        pages["toc.ncx"] = (
            '<?xml version="1.0" encoding="utf-8"?><ncx xmlns="http://www.daisy.org/z3986/2005/ncx/" '
            'version="2005-1"><head><meta name="dtb:uid" content="urn:isbn:9"/></head><docTitle><text>'
            f"{TITLE}</text></docTitle><navMap>{points}</navMap></ncx>"
        )
    members: dict[str, str | bytes] = {"META-INF/container.xml": _CONTAINER}
    members["OEBPS/book.opf"] = _package(list(pages), [name for name, _ in titled], version)
    members |= {f"OEBPS/{name}": text for name, text in pages.items()}
    members["OEBPS/cover.png"] = png()
    return members


def _package(pages: Sequence[str], spine: Sequence[str], version: int) -> str:
    def item(name: str) -> str:
        kind = "application/x-dtbncx+xml" if name.endswith("ncx") else "application/xhtml+xml"
        properties = ' properties="nav"' if name == "nav.xhtml" else ""
        return f'<item id="{name.partition(".")[0]}" href="{name}" media-type="{kind}"{properties}/>'

    series = (
        f'<meta property="belongs-to-collection" id="s">{SERIES}</meta>'
        '<meta refines="#s" property="collection-type">series</meta>'
        '<meta refines="#s" property="group-position">2</meta>'
        '<meta property="dcterms:modified">2026-01-01T00:00:00Z</meta>'
        if version == 3
        else f'<meta name="calibre:series" content="{SERIES}"/>'
        '<meta name="calibre:series_index" content="2.0"/>'
        '<meta name="cover" content="cover-picture"/>'
    )
    references = "".join(f'<itemref idref="{name.partition(chr(46))[0]}"/>' for name in spine)
    picture = ' properties="cover-image"' if version == 3 else ""
    toc = "" if version == 3 else ' toc="toc"'
    return (
        f'<?xml version="1.0" encoding="utf-8"?><package xmlns="http://www.idpf.org/2007/opf" '
        f'version="{version}.0" unique-identifier="uid">'
        '<metadata xmlns:dc="http://purl.org/dc/elements/1.1/" '
        'xmlns:opf="http://www.idpf.org/2007/opf">'
        f'<dc:identifier id="uid">urn:isbn:9</dc:identifier><dc:title>{TITLE}</dc:title>'
        f"<dc:creator>{AUTHOR}</dc:creator><dc:language>en</dc:language>{series}</metadata><manifest>"
        f'<item id="cover-picture" href="cover.png" media-type="image/png"{picture}/>'
        f"{''.join(map(item, pages))}</manifest><spine{toc}>"
        f"{references}</spine></package>"
    )


def epub(version: int) -> bytes:
    """The book as EPUB 2 or 3."""
    return zipped(files(version))
