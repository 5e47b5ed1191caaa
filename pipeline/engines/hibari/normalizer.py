"""Text normalisation for hibari: what its front end skips, spells or misreads is written in words.

The front end (hibari-tts 0.2.1) expands numbers, dates, units and abbreviations. It skips characters that it
does not know, reads "King Charles" as "King the zeroth Charles", spells "Shh", and cuts words of more than 24
letters. A text that it reads right stays as it is, so that segments of such texts keep their keys.
"""

import re
import unicodedata
from collections.abc import Callable, Collection

from pipeline.engines.hibari import respelling
from pipeline.engines.hibari.ipa import phonemes
from pipeline.engines.hibari.symbols import FRACTIONS, GREEK, words_of
from pipeline.engines.protocol import Wording
from pipeline.normalization.currencies import CURRENCIES
from pipeline.normalization.necessary import features_of, may_match, needs_of
from pipeline.normalization.normalizer import Reads, normalized
from pipeline.normalization.numbers import ordinal, roman
from pipeline.normalization.rules import KINDS, NUMBER
from pipeline.script.plain import character_name

_DIGITS_MAX = 33
"""A number with more digits is read digit by digit: there are no words for it."""
_SIGNS = "".join(map(re.escape, CURRENCIES))
_PLAIN = re.compile(r"[A-Za-z0-9 .,;!?'\"()&%—-]*")
_BEFORE_NUMBER = re.compile(
    rf"(?<!\d)(?<!\d\s)([{_SIGNS}])\s?({NUMBER})(?:\s?(hundred|thousand|million|billion|trillion)\b)?"
)
_AFTER_NUMBER = re.compile(rf"({NUMBER})\s?([{_SIGNS}])(?![\w])")
_DECIMAL_COMMA = re.compile(
    rf"(?<=[{_SIGNS}])(\s?\d{{1,3}}(?:\.\d{{3}})*),(\d{{2}})(?![\d,.]\d)(?!\d)"
    rf"|(?<![\d.,])(\d{{1,3}}(?:\.\d{{3}})*),(\d{{2}})(?=\s?[{_SIGNS}](?!\w))"
)
"""`3,50 €` and `€1.200,50`, as much of Europe writes them."""
_INDIAN = re.compile(r"(?<![\d,.])\d{1,2}(?:,\d{2})+,\d{3}(?![\d,])")
"""`2,00,000`."""
_SPACED = re.compile(r"(?<![\d.,:/-])(?<!\d )[1-9]\d{0,2}(?: \d{3})* 000(?! ?\d)")
"""`1 000 000`."""
_ALONE = re.compile(rf"[{_SIGNS}]")
_READ_SIGNS = "$£€¥₹₩"
"""Signs that the front end reads before a number."""
_MIXED = re.compile(rf"(\d)\s?([{''.join(FRACTIONS)}])")
_EXPONENT = re.compile(r"(?<=[\w)])(⁻?)([⁰¹²³⁴-⁹]+)")
_INDEX = re.compile(r"(?<=\w)([₀-₉]+)")
_FEET = re.compile(r"\b(\d{1,2})'\s?(\d{1,2})(?:\"|''|(?=[\s.,;!?]|$))")
_RATIO = re.compile(r"(?<![\d:.,])(\d{1,4}):(\d{1,4})(?![\d:])")
_TIME_LIKE = re.compile(r"\d{1,2}:\d{2}")
_ZEROS = re.compile(r"(?<![\w.,:/'#$£€¥-])0+\d+(?![\w:/'%°-]|[.,]\d)")
_TIMES = re.compile(r"(?<=[\w)]) \* (?=[\w(])|(?<=\d)\*(?=\d)")
_LONG_NUMBER = re.compile(rf"\d{{{_DIGITS_MAX + 1},}}")
_CARDINAL = (
    "Chapter|chapter|Part|part|Act|Scene|Section|section|Volume|volume|Book|book|Phase|phase|Article|article|"
    "World War|Mark|Type|type|Level|level|Stage|stage|Class|class|Grade|grade|Super Bowl|Apollo|Gemini|"
    "Final Fantasy|Episode|Round|round|Rocky|Star Wars Episode"
)
_ORDINAL = (
    "Pope|King|Queen|Henry|Louis|Edward|George|William|Charles|James|Richard|Elizabeth|Napoleon|Pius|Benedict|"
    "Leo|John Paul|Ramses|Frederick|Philip|Alexander|Nicholas|Peter|Catherine|Ivan|Umberto|Victor Emmanuel|"
    "Gustav|Christian|Ferdinand"
)
_ZERO = re.compile(rf"\b({_CARDINAL}|{_ORDINAL}) ([IVXLC]\w*)")
_LETTER = re.compile(r"\b(Type|type|Class|class|Grade|grade|Level|level|Stage|stage|Mark) ([CL])\b")
_NUMERAL = re.compile(r"M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})")
_GOES_ON = re.compile(r"['’]\w")
_INITIAL = re.compile(r"\. [A-Z]")
"""Behind a middle initial, as in "Edward L. Fox"; the front end takes it for a number."""
_CONTRACTED = re.compile(r"['’](?!s\b)")
"""`I'm` and `I'll` are no numbers."""
FRONT_END: Reads = {
    **dict.fromkeys(
        ("hashtag", "handle", "local", "iso date", "slashed date", "month and day", "day and month")
    ),
    **dict.fromkeys(("decade", "short decade", "era", "era first", "time", "hour", "money", "money behind")),
    **dict.fromkeys(
        ("hyphen range", "unit", "feet and inches by marks", "around the clock", "ratio", "percent")
    ),
    **dict.fromkeys(("and", "plus or minus", "section", "about", "number sign", "sharp", "power", "degrees")),
    **dict.fromkeys(("between", "title", "title without a name", "word", "mixed", "dotted initials")),
    **dict.fromkeys(
        ("ampersand", "letters and digits", "digits and letters", "initials", "label", "negative")
    ),
    "number": None,
    "ordinal": re.compile(r"[\d,]+(?:st|nd|rd|th|ˢᵗ|ⁿᵈ|ʳᵈ|ᵗʰ)"),
    "range": re.compile(r"\d{3}-\d{4}(?![\w.\-])|\d{1,4}-\d{1,4}(?![\w.\-%])"),
    "area code": re.compile(r"(?:\d{3}-)?\d{3}-\d{4}(?![\w.\-])"),
    "weekday": re.compile(r"\w+\."),
    "month and year": re.compile(r"\w+\."),
    "short scale": re.compile(r"[$£€][\d,.]+\s?[kKmMbB]\b"),
    "code": re.compile("USD|EUR|GBP"),
    "fraction": re.compile(r"\d/(?:\d|10)(?![\w./])"),
    "fraction sign": re.compile(r"(?![-−]|\d+\s?[½¼¾])"),
    "dimensions": re.compile(" ?×"),
    "number of a thing": re.compile(r"(?:Nos?|nos?|[Ff]ig|[Vv]ol|[Cc]h|est)\."),
    "page": re.compile("pp"),
    "numeral": re.compile(rf"(?:{_CARDINAL}) "),
    "ruler": re.compile(rf"(?:{_ORDINAL}) "),
}
"""Rules whose finds the front end or the rules here read right, so that such texts stay as they are."""
_OVERRIDE = re.compile(r"\]\(")
_BRACKETS = re.compile(r"[\[\]()]")
_SPACES = re.compile(r" +(?=[.,;:!?])")
_FULL_WIDTH = {0xFEE0 + code: code for code in range(0x21, 0x7F)}
_APART = "\ue000"
"""A space that stays before a full stop."""
_SHARP = re.compile(r"\b([A-G])#(?!\w)")
_LIST = re.compile(r"(?<=\d),(?=\d{1,2}(?!\d)|\d{4,})")
_NO = re.compile(r"(?<![\w.])(no|fig|ed|ch|est)\.(?!\w)(?!\s?[\d(#])")
"""Words that the front end takes for abbreviations wherever a full stop follows: "number", "figure", …"""
_SUN = re.compile(r"\b([Tt]he|a) Sun\.(?!\w)")
_JAN = re.compile(r"(?<!\bin )(?<!\bof )(?<!\bsince )(?<!\buntil )(?<!\d )\b(Jan)\.(?!\w)(?!,?\s?\d)")
_ALL_DAY = re.compile(r"(?<![\d/])24/7(?![\d/])")


def wording(text: str, kinds: Collection[str] = KINDS) -> Wording:
    """Write a text as the front end reads it right.

    Args:
        kinds: kinds of `pipeline.normalization` that are written in words where the front end misreads them.

    >>> wording("Add ⅓ cup; x ≤ 5.").text
    'Add one third cup; x less than or equal to 5.'
    >>> wording("King Charles read Chapter II.").text
    'king Charles read Chapter II.'
    >>> wording("a naïve idea").text
    'a naïve idea'
    >>> wording("э").problems[0]
    "contains 'э' (cyrillic small letter e), which the English voice of hibari cannot speak; write it in \
Latin letters or take it out, give `--unspeakable skip` or `spell`, or choose an engine that speaks it \
(`--engine`)"
    """
    plain = normalized(text, kinds, reads=FRONT_END)
    if plain == text and _PLAIN.fullmatch(text) and not _needs_words(text):
        return Wording(text)
    notices: list[str] = []
    words = _OVERRIDE.sub("] (", plain.translate(_FULL_WIDTH))
    for rule in _RULES:
        words = rule(words)
    words, refused = _signs(words)
    problems = [_refusal(refused)] if refused else []
    words = respelling.respelt(words, notices)
    if words != text:
        words = _SPACES.sub("", " ".join(words.split())).replace(_APART, " ")
    return Wording(words, tuple(problems), tuple(dict.fromkeys(notices)), tuple(refused))


def pronounced(written: str, ipa: str) -> Wording:
    """Write a word with its phonemes, as the front end takes them.

    >>> pronounced("Nuala", "ˈnuːlə").text
    '[Nuala](/nˈulə/)'
    >>> pronounced("Nuala", "жu").problems
    ("has 'ж' in its IPA, which is no IPA symbol",)
    """
    sounds, unknown = phonemes(ipa)
    word = _BRACKETS.sub("", written) or "word"
    if unknown or not sounds.strip():
        shown = ", ".join(map(repr, unknown[:_SHOWN_MAX])) or "nothing"
        return Wording(word, (f"has {shown} in its IPA, which is no IPA symbol",))
    sounds = sounds.replace(" ", "")
    return Wording(f"[{word}](/{sounds}/)")


def _needs_words(text: str) -> bool:
    features = features_of(text)
    return respelling.is_needed(text) or any(
        pattern.search(text) for pattern, needs in _TRIGGERS if may_match(needs, features)
    )


def _money(text: str) -> str:
    """Write currencies out that the front end reads nowhere, or not behind a number."""
    text = _DECIMAL_COMMA.sub(_with_point, text)
    text = _INDIAN.sub(lambda found: found[0].replace(",", ""), text)
    text = _SPACED.sub(lambda found: found[0].replace(" ", ""), text)
    text = _BEFORE_NUMBER.sub(_amount, text)
    text = _AFTER_NUMBER.sub(lambda found: f"{found[1]} {_unit(found[1], found[2])}", text)
    return _ALONE.sub(_alone, text)


def _with_point(found: re.Match[str]) -> str:
    whole, part = (found[1], found[2]) if found[1] else (found[3], found[4])
    return f"{whole.replace('.', '')}.{part}"


def _amount(found: re.Match[str]) -> str:
    sign, number, scale = found[1], found[2], found[3]
    if sign in _READ_SIGNS and not (scale and sign in "¥₹₩"):
        return found[0]
    return f"{number} {scale} {CURRENCIES[sign][1]}" if scale else f"{number} {_unit(number, sign)}"


def _unit(number: str, sign: str) -> str:
    return CURRENCIES[sign][number not in ("1", "1.0")]


def _alone(found: re.Match[str]) -> str:
    if found[0] in _READ_SIGNS and re.match(r"\s?\d", found.string[found.end() :]):
        return found[0]
    before = found.string[found.start() - 1 : found.start()]
    return f"{' ' if before.isalnum() else ''}{CURRENCIES[found[0]][1]} "


def _numbers(text: str) -> str:
    """Write fractions behind numbers, exponents, indices, ratios and very long numbers out."""
    text = _MIXED.sub(lambda found: f"{found[1]} and {FRACTIONS[found[2]]}", text)
    text = _EXPONENT.sub(_power, text)
    text = _INDEX.sub(lambda found: f" {unicodedata.normalize('NFKC', found[1])} ", text)
    text = _FEET.sub(r"\1 feet \2 inches", text)
    text = _RATIO.sub(
        lambda found: found[0] if _TIME_LIKE.fullmatch(found[0]) else f"{found[1]} to {found[2]}", text
    )
    text = _ALL_DAY.sub("24 7", _LIST.sub(", ", text))
    text = _TIMES.sub(" times ", _ZEROS.sub(lambda found: " ".join(found[0]), text))
    return _LONG_NUMBER.sub(lambda found: " ".join(found[0]), text)


def _power(found: re.Match[str]) -> str:
    if not found[1] and found[2] in ("²", "³"):  # the front end says "squared" and "cubed"
        return found[0]
    digits = unicodedata.normalize("NFKC", found[2])
    return f" to the power of {'minus ' if found[1] else ''}{digits} "


def _phrases(text: str) -> str:
    """Keep the front end from reading numbers and abbreviations into words."""
    text = _ZERO.sub(_without_zero, text)
    text = _LETTER.sub(lambda found: f"{found[1]} {found[2].lower()}", text)
    text = _SHARP.sub(r"\1 sharp", text)
    for pattern in (_NO, _JAN):
        text = pattern.sub(rf"\1{_APART}.", text)
    return _SUN.sub(rf"\1 sun{_APART}.", text)


def _without_zero(found: re.Match[str]) -> str:
    trigger, word = found[1], found[2]
    after, is_ruler = found.string[found.end() :], re.fullmatch(_ORDINAL, trigger)
    if is_ruler and len(word) == 1 and _INITIAL.match(after):
        return f"{trigger[0].lower()}{trigger[1:]} {word}"
    if _NUMERAL.fullmatch(word) and not _GOES_ON.match(after):
        return found[0]
    if _NUMERAL.fullmatch(word) and not _CONTRACTED.match(after):
        number = roman(word)
        return f"{trigger} the {ordinal(number)}" if is_ruler else f"{trigger} {number}"
    if is_ruler:
        return f"{trigger[0].lower()}{trigger[1:]} {word}"
    return f"{trigger} {word[0].lower()}{word[1:]}"


_RULES: tuple[Callable[[str], str], ...] = (_money, _numbers, _phrases)
_TRIGGERS = tuple(
    (pattern, needs_of(pattern))
    for pattern in (
        _INDIAN,
        _SPACED,
        _ZEROS,
        _ZERO,
        _LETTER,
        _LONG_NUMBER,
        _FEET,
        _LIST,
        _NO,
        _SUN,
        _JAN,
    )
)


def _signs(text: str) -> tuple[str, list[str]]:
    """Write characters out that the front end skips; returns those without words, too."""
    written, refused = list[str](), list[str]()
    for position, character in enumerate(text):
        if character.isascii() or character == _APART:
            written.append(_ASCII.get(character, character))
            continue
        words = _words_for(character, text, position)
        if words is None:
            refused.append(character)
        written.append(words or "")
    return "".join(written), list(dict.fromkeys(refused))


_SHOWN_MAX = 5
"""Characters that a problem shows."""
_NAMED_MAX = 2
"""Most letters whose names are given as well."""
_ASCII = {"*": " asterisk ", "\\": " backslash "}


def _words_for(character: str, text: str, position: int) -> str | None:
    if character in GREEK:
        near = text[max(0, position - 1) : position] + text[position + 1 : position + 2]
        if any(letter.isalpha() for letter in near):
            return None
    return words_of(character)


def _refusal(characters: list[str]) -> str:
    """One problem for all characters of a turn, with its remedy."""
    shown = [_shown(one, named=len(characters) <= _NAMED_MAX) for one in characters[:_SHOWN_MAX]]
    more = f" and {len(characters) - _SHOWN_MAX} more" if len(characters) > _SHOWN_MAX else ""
    letters = any(map(str.isalpha, characters))
    remedy = "write it in Latin letters or take it out" if letters else "write it in words or take it out"
    return (
        f"contains {', '.join(shown)}{more}, which the English voice of hibari cannot speak; {remedy}, give "
        "`--unspeakable skip` or `spell`, or choose an engine that speaks it (`--engine`)"
    )


def _shown(character: str, *, named: bool) -> str:
    """A character; of few letters the names too, since some look like Latin ones."""
    if not character.isalpha():
        return character_name(character)
    name = unicodedata.name(character, "").lower()
    return f"{character!r} ({name})" if named and name and "ideograph" not in name else repr(character)
