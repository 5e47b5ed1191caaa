"""Typographic variants made plain, and the characters that nobody can read aloud."""

import re
import unicodedata

from pipeline.script.turns import Findings

LINE_ENDS = re.compile("[\n\x85\u2028\u2029]")
_PLAIN = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛ʼ´′", "'"),
        **dict.fromkeys("“”„‟«»″", '"'),
        **dict.fromkeys("‐‑‒−", "-"),
        **dict.fromkeys("–―", "—"),
        "…": "...",
        "℃": "°C",
        "℉": "°F",
        **dict.fromkeys("\u00ad\u200b\u200c\u200d\u2060\ufeff\ufe0f™©®", None),
        **dict.fromkeys("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069", None),
    }
)
_UNREADABLE = ("Cc", "Cs", "Co", "Cn", "So")


def plain_letters(text: str) -> str:
    """Typographic variants made plain; a backtick stays, since it may be a mark.

    Composed again at the end: what is left out may have stood between a letter and its accent.
    """
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).translate(_PLAIN))


def plain(text: str, line: int, findings: Findings) -> str:
    """Typographic variants made plain, white space folded.

    >>> plain("“It’s  fine” – he said…", 1, Findings())
    '"It\\'s fine" — he said...'
    """
    return " ".join(readable(plain_letters(text).replace("`", "'"), line, findings).split())


def readable(text: str, line: int, findings: Findings) -> str:
    """The text without control characters, surrogates, unassigned characters and pictures: problems."""
    bad = dict.fromkeys(c for c in text if not (c.isascii() and c.isprintable()) and _is_unreadable(c))
    if not bad:
        return text
    findings.problem(line, f"has {_named(bad)}, which can't be spoken; take it out or write it in words")
    return text.translate(dict.fromkeys(map(ord, bad), " "))


def _is_unreadable(character: str) -> bool:
    category = unicodedata.category(character)
    return category in _UNREADABLE and character != "°" and not character.isspace()


def _named(characters: dict[str, None]) -> str:
    names = [character_name(character) for character in characters]
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more such characters" if len(names) > 4 else "")


def character_name(character: str) -> str:
    """A character's name in words.

    >>> character_name("🎉"), character_name("\\x07")
    ('🎉 (party popper)', 'U+0007')
    """
    name = unicodedata.name(character, "").lower()
    return f"{character} ({name})" if name else f"U+{ord(character):04X}"
