"""Typographic variants made plain, and the characters that nobody can read aloud."""

import re
import unicodedata
from collections.abc import Callable

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
_UNREADABLE = ("Cc", "Cs", "Co", "Cn")
_WORDED_BLOCKS = ((0x2100, 0x214F), (0x2190, 0x21FF), (0x2460, 0x24FF), (0x3300, 0x33FF))
_WORDED = frozenset("°✓✔✗✘★☆♂♀♭♮⌀⌘⌥⏎■□▪▫●○◦◆◇¦")
"""Symbols that engines have words for, or that are silent as bullets are; all others are pictures."""
SYMBOLS = ("refuse", "omit", "name")
"""Ways to treat pictures such as emoji: a problem, left out, or read by their Unicode names."""


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


def newline_counter(text: str) -> Callable[[int], int]:
    r"""A function that counts the newlines before an offset; offsets never fall from call to call.

    It reads the text once over all calls.

    >>> newlines = newline_counter("a\nb\nc")
    >>> newlines(1), newlines(2), newlines(4)
    (0, 1, 2)
    """
    counted = at = 0

    def newlines(offset: int) -> int:
        nonlocal counted, at
        counted, at = counted + text.count("\n", at, offset), offset
        return counted

    return newlines


def readable(text: str, line: int, findings: Findings) -> str:
    """The text without characters that nobody can read aloud: control characters, surrogates, pictures."""
    if text.isascii() and text.isprintable():
        return text
    bad = dict.fromkeys(character for character in text if _is_unreadable(character))
    pictures = dict.fromkeys(character for character in text if is_picture(character))
    if bad:
        findings.problem(line, f"has {_named(bad)}, which cannot be spoken; take it out")
    if pictures and findings.symbols == "refuse":
        findings.problem(
            line,
            f"has {_named(pictures)}, which cannot be spoken; take it out, write it in words, or give "
            "`--symbols omit` or `--symbols name`",
        )
    for picture in pictures if findings.symbols == "omit" else ():
        findings.omit(line, "symbol", picture * text.count(picture))
    words = {ord(character): " " for character in bad}
    named = findings.symbols == "name"
    words |= {ord(picture): f" {_name(picture)} " if named else " " for picture in pictures}
    return text.translate(words) if words else text


def with_names(text: str) -> str:
    """The text with emoji by their names, before their parts are taken apart.

    >>> with_names("Good 👩\u200d🚀, in 🇫🇷.")
    'Good  woman astronaut , in  France .'
    """
    if text.isascii():
        return text
    import emoji

    return emoji.replace_emoji(text, _emoji_name)


def _emoji_name(characters: str, data: dict[str, str]) -> str:
    if not any(map(is_picture, characters)):
        return characters
    return f" {data['en'].strip(':').replace('_', ' ').replace('-', ' ')} "


def is_picture(character: str) -> bool:
    """Tell whether a character is a picture, such as an emoji.

    >>> [is_picture(character) for character in "🎉☃→✓°a"]
    [True, True, False, False, False, False]
    """
    if character < "\xa1" or character in _WORDED:
        return False
    category = unicodedata.category(character)
    if category != "So":
        return category == "Sk" and character > "\uffff"
    return not any(first <= ord(character) <= last for first, last in _WORDED_BLOCKS)


def _is_unreadable(character: str) -> bool:
    return unicodedata.category(character) in _UNREADABLE and not character.isspace()


def _name(character: str) -> str:
    return unicodedata.name(character, "symbol").lower().replace("-", " ")


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
