"""Front and back matter: pages around the text of a book, which are left out by default."""

import re
from collections.abc import Collection

from pipeline.script.vocabulary import words_of

FRONT, BACK = "front matter", "back matter"

_FRONT_TYPES = words_of("""
    cover titlepage halftitlepage halftitle title-page copyright-page copyrightpage copyright imprint
    imprimatur toc dedication doc-dedication doc-toc doc-cover contributors other-credits loi lot lof
    seriespage series-page text.toc
""")
_BACK_TYPES = words_of("""
    index doc-index bibliography doc-bibliography glossary doc-glossary colophon doc-colophon
    acknowledgments acknowledgements doc-acknowledgments doc-credits credits notes endnotes doc-endnotes
    errata doc-errata promo advertisement about-the-author
""")
_FRONT_TITLES = re.compile(
    r"(?:cover(?: page| image)?|(?:half[ -]?)?title(?: ?page)?|copyright(?: page| notice| information)?|"
    r"imprint|(?:table of )?contents|dedication|list of (?:illustrations|figures|tables|maps)|illustrations|"
    r"(?:advance )?praise(?: for .{1,100})?|"
    r"(?:also|other (?:books|works|titles)|books|more) (?:by|from) .{1,100}|"
    r"start of (?:the|this) project gutenberg.*|newsletter(?: sign-?up)?|landmarks|navigation)",
    re.IGNORECASE,
)
_BACK_TITLES = re.compile(
    r"(?:index|(?:select(?:ed)? )?bibliography|works cited|references|further reading|glossary|colophon|"
    r"(?:end|foot)?notes|acknowledge?ments?|about the (?:author|publisher|translator|type)s?|credits|"
    r"(?:a )?preview of .{1,100}|(?:discover|read) more(?: .{1,100})?|discussion questions|"
    r"(?:the full )?project gutenberg(?:™|\(tm\))? licen[sc]e)",
    re.IGNORECASE,
)


def matter_of(title: str, types: Collection[str], *, started: bool) -> str:
    """Recognise front or back matter by its semantic types, or else by its title.

    Args:
        types: of its first elements (`epub:type`, `role`) and of the guide.
        started: whether the text of the book began before it.

    >>> matter_of("Copyright © 2020", (), started=False), matter_of("Prologue", (), started=False)
    ('front matter', '')
    >>> matter_of("Also by Ann Author", (), started=True), matter_of("Index", (), started=True)
    ('back matter', 'back matter')
    """
    title = re.sub(r"\s*(?:©|\(c\)).*|[.:]+$", "", title.strip(), flags=re.IGNORECASE)
    if _FRONT_TYPES.intersection(types) or _FRONT_TITLES.fullmatch(title):
        return BACK if started else FRONT
    if _BACK_TYPES.intersection(types) or _BACK_TITLES.fullmatch(title):
        return BACK if started else FRONT
    return ""
