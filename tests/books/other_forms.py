"""The sample book as Markdown, HTML, plain text and DOCX."""

import io
import zipfile
from xml.sax.saxutils import escape

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
