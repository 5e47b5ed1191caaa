"""Words for characters that hibari's front end skips, and characters that stand for no words."""

import functools
import unicodedata

from pipeline.normalization.currencies import CURRENCIES
from pipeline.normalization.quantities import SIGN_FRACTIONS, fraction

_READ_FRACTIONS = "½¼¾"
"""Fractions that the front end reads itself."""
FRACTIONS = {
    **{sign: fraction(*parts) for sign, parts in SIGN_FRACTIONS.items() if sign not in _READ_FRACTIONS},
    "⅟": "one over",
}
_WORDS = {
    **{"≤": "less than or equal to", "≥": "greater than or equal to", "≦": "less than or equal to"},
    **{"≧": "greater than or equal to", "≠": "not equal to", "≈": "approximately equal to"},
    **{"≡": "identical to", "≅": "congruent to", "∼": "about", "≃": "about equal to", "∝": "proportional to"},
    **{"≪": "much less than", "≫": "much greater than", "≮": "not less than", "≯": "not greater than"},
    **{"∞": "infinity", "√": "square root of", "∛": "cube root of", "∜": "fourth root of", "∑": "sum of"},
    **{"∏": "product of", "∫": "integral of", "∂": "partial", "∇": "nabla", "∆": "delta", "∅": "empty set"},
    **{"∈": "in", "∉": "not in", "∋": "contains", "⊂": "subset of", "⊃": "superset of", "⊆": "subset of"},
    **{
        "⊇": "superset of",
        "∪": "union",
        "∩": "intersection",
        "∧": "and",
        "∨": "or",
        "¬": "not",
        "∀": "for all",
    },
    **{"∃": "there is", "∄": "there is no", "∴": "therefore", "∵": "because", "∠": "angle"},
    **{
        "⊥": "perpendicular to",
        "∥": "parallel to",
        "∓": "minus or plus",
        "⊕": "plus",
        "⊗": "times",
        "∙": "times",
    },
    **{
        "⋅": "times",
        "∗": "times",
        "∘": "of",
        "∕": "over",
        "⁄": "over",
        "∣": "divides",
        "∶": "to",
        "−": "minus",
    },
    **{"⁺": "plus", "⁻": "minus", "⁼": "equals", "₊": "plus", "₋": "minus", "₌": "equals"},
    **{"←": "from", "↑": "up", "↓": "down", "↔": "to and from", "⇐": "follows from", "⇒": "implies"},
    **{"⇔": "if and only if", "⇑": "up", "⇓": "down", "↦": "maps to", "⟶": "to", "⟵": "from", "⟹": "implies"},
    **{"‰": "per mille", "‱": "per ten thousand", "№": "number", "℅": "care of", "℀": "account of"},
    **{
        "℁": "addressed to the subject",
        "℆": "care of",
        "℞": "prescription",
        "℗": "copyright",
        "℠": "service mark",
    },
    **{"℡": "telephone", "℻": "fax", "℮": "estimated", "℧": "mho", "℩": "iota", "℥": "ounce", "℔": "pound"},
    **{
        "℟": "response",
        "℣": "versicle",
        "⅍": "A over S",
        "⅌": "per",
        "℘": "p",
        "℺": "capital Q",
        "℈": "scruple",
    },
    **{"℃": "degrees Celsius", "℉": "degrees Fahrenheit", "℄": "center line", "ℇ": "Euler constant"},
    **{"ℵ": "aleph", "ℶ": "beth", "ℷ": "gimel", "ℸ": "daleth", "⅊": "property line", "⅏": "S"},
    **{"✓": "check", "✔": "check", "✗": "cross", "✘": "cross", "★": "star", "☆": "star", "♀": "female"},
    **{"♂": "male", "♭": "flat", "♯": "sharp", "♮": "natural", "⌀": "diameter", "⌘": "command"},
    **{"⌥": "option", "⏎": "enter", "Ω": "ohms", "Å": "angstroms", "K": "kelvin", "ℓ": "liters"},
}
_GREEK = (
    *("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu"),
    *("nu", "xi", "omicron", "pi", "rho", "sigma", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega"),
)
GREEK = {
    **{chr(0x3B1 + i): name for i, name in enumerate(_GREEK)},
    **{chr(0x391 + i): name for i, name in enumerate(_GREEK) if i != 17},
    **{"ϑ": "theta", "ϕ": "phi", "ϖ": "pi", "ϵ": "epsilon", "ϰ": "kappa", "ϱ": "rho"},
}
"""Letters that stand alone, as in formulas; Greek words are refused."""
_READ = frozenset(
    "ªº½¼¾²³°±×÷§¶µ→¢—£€¥₹₩"
    "ÀÁÂÃÄÅÆÇÉÊÌÍÎÏÑÒÓÔÕÖØÚÜÞßàáâãäåæçèéêëìíîïðñòóôõöøùúûüýþÿĀāĂăąĆćČčĎďĐđĒēĕĖėęěĝĞğġģīĭİıķļĽľŁłńņňŋŌōŏőŒœŘřŚś"
    "ŞşŠšţťūŭŮůŰųŵźŻżŽžƒơưǎǐǒǔǚșțṛ"
)
"""Characters that the front end reads itself: letters that its model of unknown words was trained on."""
_NAMED_BLOCKS = ((0x2190, 0x21FF), (0x2200, 0x22FF), (0x27F0, 0x27FF), (0x2900, 0x297F))
"""Arrows and mathematical operators: what has no word above is read by its Unicode name."""
_SILENT = {
    **dict.fromkeys("«»‹›“”„‟", '"'),
    **dict.fromkeys("‘’‚‛′‵", "'"),
    **dict.fromkeys("‐‑‒⁃﹣", "-"),
    **dict.fromkeys("–―⸺⸻", "—"),
    **{
        "…": "...",
        "‥": "..",
        "․": ".",
        "‼": "!!",
        "⁇": "??",
        "⁈": "?!",
        "⁉": "!?",
        "‽": "?!",
        "¡": "",
        "¿": "",
    },
    **{"、": ", ", "。": ". ", "·": " ", "〜": "—"},
    **dict.fromkeys("†‡•‣‧·‖‗‾‿⁀⁁⁂⁅⁆⁊⁋⁎⁏⁐⁑⁓⁔⁕⁖⁗⁘⁙⁚⁛⁜⁝⁞″‴‶‷‸※‹›¦¨¯¸⌈⌉⌊⌋〈〉⁽⁾₍₎❨❩❪❫❬❭❮❯❰❱❲❳❴❵■□▪▫●○◦◆◇", " "),
}
"""Signs without words, and the plain sign in their place."""
_LETTERS = {
    **{"Đ": "D", "đ": "d", "Ħ": "H", "ħ": "h", "ı": "i", "ĸ": "q", "Ŀ": "L", "ŀ": "l", "Ł": "L", "ł": "l"},
    **{"ŉ": "n", "Ŋ": "Ng", "ŋ": "ng", "Ŧ": "T", "ŧ": "t", "Ø": "O", "ø": "o", "Æ": "Ae", "æ": "ae"},
    **{"Œ": "Oe", "œ": "oe", "ß": "ss", "ẞ": "SS", "Þ": "Th", "þ": "th", "Ð": "Th", "ð": "th", "Ə": "A"},
    **{"ə": "a", "Ɛ": "E", "ɛ": "e", "Ɔ": "O", "ɔ": "o", "Ɓ": "B", "ɓ": "b", "Ɗ": "D", "ɗ": "d", "Ƙ": "K"},
    **{"ƙ": "k", "Ƴ": "Y", "ƴ": "y", "Ɣ": "G", "ɣ": "g", "Ʒ": "Zh", "ʒ": "zh", "Ǥ": "G", "ǥ": "g"},
    **{"Ʋ": "V", "ʋ": "v", "Ɩ": "I", "ɩ": "i", "Ʊ": "U", "ʊ": "u", "Ȝ": "Y", "ȝ": "y", "Ƿ": "W", "ƿ": "w"},
    **{"ĳ": "ij", "Ĳ": "IJ", "ƒ": "f", "Ƒ": "F", "Ɖ": "D", "ɖ": "d", "Ǝ": "E", "ǝ": "e"},
    **{"Ɲ": "N", "ɲ": "n", "Ƞ": "N", "ƞ": "n", "Ɵ": "O", "Ƥ": "P", "ƥ": "p", "Ʀ": "R", "Ʃ": "Sh"},
    **{"ʃ": "sh", "Ƭ": "T", "ƭ": "t", "Ʈ": "T", "ƫ": "t", "Ƶ": "Z", "ƶ": "z", "Ɨ": "I", "ɨ": "i"},
    **{"Ƀ": "B", "ƀ": "b", "Ʉ": "U", "ʉ": "u", "Ɇ": "E", "ɇ": "e", "Ɉ": "J", "ɉ": "j", "Ɍ": "R", "ɍ": "r"},
    **{"Ɏ": "Y", "ɏ": "y", "Ȼ": "C", "ȼ": "c", "Ⱥ": "A", "Ƚ": "L", "ƚ": "l", "Ⱦ": "T", "ȿ": "s", "ɀ": "z"},
    **{"ȡ": "d", "ȴ": "l", "ȵ": "n", "ȶ": "t", "ȷ": "j", "Ȣ": "Ou", "ȣ": "ou", "Ƣ": "Gh", "ƣ": "gh"},
    **{"Ɠ": "G", "ɠ": "g", "Ɯ": "M", "Ǯ": "Zh", "ǯ": "zh", "ȸ": "db", "ȹ": "qp", "ƛ": "l", "Ǡ": "A"},
    **{"Ɋ": "Q", "ɋ": "q", "Ʌ": "V", "ʌ": "v", "Ƈ": "C", "ƈ": "c", "Ƌ": "D", "ƌ": "d", "Ƅ": "B"},
    **{"ƅ": "b", "Ƃ": "B", "ƃ": "b", "ƍ": "d", "Ƨ": "S", "ƨ": "s", "Ƽ": "F", "ƽ": "f"},
    **{"ƕ": "hv", "Ƕ": "Hv", "ƪ": "sh", "ƺ": "zh", "ƾ": "ts", "ƻ": "dz", "Ƹ": "Zh", "ƹ": "zh"},
    **{"ẟ": "d", "ỻ": "ll", "Ỻ": "Ll", "ỽ": "v", "Ỽ": "V", "ỿ": "y", "Ỿ": "Y", "ẜ": "s", "ẝ": "s"},
    **{"ʼ": "'", "ʻ": "'", "ẚ": "a", "ſ": "s", "ᵢ": "i", "ₔ": "a", "ǀ": "|", "ǁ": "|", "ǂ": "|"},
}


@functools.cache
def words_of(character: str) -> str | None:
    """Text that the front end reads in place of a character; None if nobody knows how to say it.

    >>> words_of("≤"), words_of("⇶"), words_of("Ł"), words_of("Ễ"), words_of("☃")
    (' less than or equal to ', ' three rightwards arrows ', 'Ł', 'E', None)
    """
    if character.isascii() or character in _READ:
        return character
    for table in (FRACTIONS, _WORDS, GREEK):
        if character in table:
            return f" {table[character]} "
    if character in CURRENCIES:
        return f" {CURRENCIES[character][1]} "
    if character in _SILENT:
        return _SILENT[character]
    if character in _LETTERS:
        return _LETTERS[character]
    simpler = _simpler(character)
    return _named(character) if simpler is None else simpler


def _simpler(character: str) -> str | None:
    """The letters, digits or signs that a character is made of."""
    category = unicodedata.category(character)
    if category in ("Mn", "Me", "Cf"):
        return ""
    if category in ("Zs", "Zl", "Zp", "Ps", "Pe", "Pi", "Pf"):
        return " "
    if category == "Pd":
        return "—"
    parts = unicodedata.normalize("NFKD", character)
    if parts == character:
        return None
    found = [words_of(part) for part in parts if unicodedata.category(part) not in ("Mn", "Me")]
    if None in found or not "".join(map(str, found)).strip():
        return None
    joined = "".join(map(str, found))
    return f" {joined} " if category in ("No", "Nl", "So") else joined


def _named(character: str) -> str | None:
    if not any(first <= ord(character) <= last for first, last in _NAMED_BLOCKS):
        return None
    return f" {unicodedata.name(character).lower().replace('-', ' ')} "
