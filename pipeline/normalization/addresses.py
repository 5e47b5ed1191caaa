"""E-mail addresses, URLs, hashtags, handles and telephone numbers."""

import re

from pipeline.normalization.numbers import cardinal, digits, year
from pipeline.normalization.rules import Found, Rule, is_pronounceable, letters, one_of, rule
from pipeline.script.vocabulary import words_of

_SIGNS = {
    **{
        ".": "dot",
        "-": "dash",
        "_": "underscore",
        "+": "plus",
        "/": "slash",
        ":": "colon",
        "?": "question mark",
    },
    **{"=": "equals", "&": "and", "#": "hash", "%": "percent", "~": "tilde", "@": "at", ",": "comma"},
}
_PIECES = re.compile(r"\d+|[^\W\d_]+|[^\s\w]|_")
_DOMAINS = (
    *(
        "com",
        "org",
        "net",
        "edu",
        "gov",
        "mil",
        "int",
        "info",
        "biz",
        "io",
        "co",
        "uk",
        "de",
        "fr",
        "nl",
        "eu",
    ),
    *(
        "ch",
        "jp",
        "ca",
        "au",
        "ru",
        "es",
        "tv",
        "ai",
        "app",
        "dev",
        "gg",
        "ly",
        "fm",
        "xyz",
        "online",
        "shop",
    ),
    *("blog", "news", "club", "wiki", "page", "live", "ie", "nz", "se", "fi", "dk", "pl", "br", "cn"),
)
_WORDS = frozenset(
    {"com", "org", "net", "edu", "gov", "mil", "info", "biz", "co", "app", "dev", "wiki", "faq"}
)
"""Short parts of addresses that are read as words."""
_SHORT_WORDS = words_of("my me we go up do in on at to of or so no it is by an am as be he if hi ok")
_HOST = rf"(?:[A-Za-z0-9-]+\.)+(?:{one_of(_DOMAINS)})"
_PATH = r"(?:/[^\s<>\"'()]*[^\s<>\"'().,;:!?]|/)?"
_CAMEL = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_]+")
_GROUPS = re.compile(r"\d+")


def _address(text: str) -> str:
    """Words of an address: its parts and signs.

    >>> _address("press@bbc.co.uk")
    'press at B B C dot co dot U K'
    """
    return " ".join(_piece(piece) for piece in _PIECES.findall(text))


def _piece(piece: str) -> str:
    if piece.isdecimal():
        return cardinal(int(piece)) if len(piece) < 3 and piece[0] != "0" else digits(piece)
    if piece in _SIGNS:
        return _SIGNS[piece]
    word = piece.lower()
    if word in _WORDS or (is_pronounceable(word) and (len(word) > 2 or word in _SHORT_WORDS)):
        return piece
    return letters(piece)


def _url(found: Found) -> str:
    return _address(found["address"].removesuffix("/"))


def _hashtag(found: Found) -> str:
    return f"hashtag {' '.join(map(_tag_part, _CAMEL.findall(found[1])))}"


def _tag_part(part: str) -> str:
    if part.isdecimal():
        return year(int(part)) if len(part) == 4 else cardinal(int(part)) if len(part) < 4 else digits(part)
    return letters(part) if part.isupper() and not is_pronounceable(part) else part


def _telephone(found: Found) -> str | None:
    """Digits one by one, with a comma between groups."""
    groups = _GROUPS.findall(found[0])
    if found[0].startswith("+") and sum(map(len, groups)) < 7:
        return None
    words = [_group(group, position) for position, group in enumerate(groups)]
    return ("plus " if found[0].startswith("+") else "") + ", ".join(words)


def _group(group: str, position: int) -> str:
    if position < 2 and len(group) == 3 and group[0] != "0" and group.endswith("00"):
        return cardinal(int(group))
    return digits(group)


RULES: tuple[Rule, ...] = (
    rule(
        "e-mail",
        "address",
        r"(?<![\w.+%-])[\w.+%-]*\w@(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,}\b",
        lambda found: _address(found[0]),
    ),
    rule(
        "url",
        "address",
        rf"(?<![\w@./-])(?:(?:https?|ftp)://(?P<address>[A-Za-z0-9.-]*[A-Za-z0-9](?::\d+)?{_PATH}))",
        _url,
    ),
    rule("host", "address", rf"(?<![\w@./-])(?P<address>{_HOST}(?![\w-]|\.\w)(?::\d+)?{_PATH})", _url),
    rule("hashtag", "address", r"(?<![\w&/])#([A-Za-z]\w*)", _hashtag),
    rule("handle", "address", r"(?<![\w@.])@([A-Za-z]\w*)", lambda found: f"at {_address(found[1])}"),
    rule("extension", "phone", r"\b[Ee]xt\.?\s?(?=\d)", lambda found: "extension "),
    rule("international", "phone", r"(?<![\w.])\+\d{1,3}(?:[ .-]?\(?\d{1,5}\)?){1,6}(?!\w)", _telephone),
    rule(
        "area code",
        "phone",
        r"(?<![\w.-])(?:1[ .-])?(?:\(\d{3}\) ?|\d{3}([-. ]))\d{3}(?(1)\1|-)\d{4}(?![\w-]|\.\d)",
        _telephone,
    ),
    rule("local", "phone", r"(?<![\w.\-])\d{3}-\d{4}(?![\w.\-])", _telephone),
    rule(
        "trunk",
        "phone",
        r"(?<![\w.,-])0\d{2,4}[ -](?:\d{3,4}[ -]\d{3,4}|\d{5,7})(?![\w-]|[.,]\d)",
        _telephone,
    ),
    rule(
        "emergency",
        "phone",
        r"(?<=\b)((?:call|dial|ring|phon)(?:e|s|ed|ing)?) (911|999|112|988|411|311)\b(?![.,]\d)",
        lambda found: f"{found[1]} {digits(found[2])}",
        flags=re.IGNORECASE,
    ),
)
